"""The lock fits pyproject.toml, holds nothing known to be bad, and can be installed by its hashes alone."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.repository import ROOT, pyproject
from tools.lock import needless

NAMES = ["lock.txt", "lock-cpu.txt", "lock-cuda.txt", "lock-built.txt", "extras.txt"]
TEXTS = {name: (ROOT / "requirements" / name).read_text() for name in NAMES}
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s;]+)", re.MULTILINE)
ENTRY = re.compile(
    r"[a-z0-9.-]+==[^\s;]+( ; platform_system == \"Linux\")?( \\\n    --hash=sha256:[0-9a-f]{64})+"
)

PROJECT = pyproject()["project"]
REQUIREMENTS = [
    Requirement(text)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in group
]
MALWARE = {"lightning": ["2.6.2", "2.6.3"]}


def pins(name: str) -> dict[str, Version]:
    return {package: Version(version) for package, version in PIN.findall(TEXTS[name])}


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_holds_hashed_pins_and_comments_alone(name: str) -> None:
    rest = ENTRY.sub("", TEXTS[name])
    assert not [line for line in rest.splitlines() if line and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("build", ["lock-cpu.txt", "lock-cuda.txt"])
@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_every_requirement_is_locked_within_its_range(requirement: Requirement, build: str) -> None:
    locked = pins("extras.txt") | pins("lock.txt") | pins(build)
    assert locked[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_loggers_are_locked_on_top_of_everything_else() -> None:
    everything = pins("lock.txt") | pins("lock-cuda.txt") | pins("lock-built.txt")
    assert not everything.items() & pins("extras.txt").items()


def test_both_builds_of_torch_are_of_one_version() -> None:
    cpu, cuda = pins("lock-cpu.txt")["torch"], pins("lock-cuda.txt")["torch"]
    assert (cpu.public, cpu.local, cuda.local) == (cuda.public, "cpu", None)


def test_only_the_build_with_cuda_brings_cuda() -> None:
    libraries = {name for name in pins("lock-cuda.txt") if name != "torch"}
    assert "triton" in libraries
    assert all(name.startswith(("cuda-", "nvidia-", "triton")) for name in libraries)
    assert not libraries & pins("lock.txt").keys()


@pytest.mark.parametrize(("package", "version"), [(name, v) for name, bad in MALWARE.items() for v in bad])
def test_a_version_that_carried_malware_is_refused(package: str, version: str) -> None:
    [requirement] = [each for each in REQUIREMENTS if each.name == package]
    assert Version(version) not in requirement.specifier
    assert pins("lock.txt")[package] != Version(version)


@pytest.mark.parametrize(
    ("grammar", "parser", "left_out"),
    [
        ("jsonschema", "rfc3987-syntax", {"lark", "rfc3987-syntax"}),
        ("jsonschema", "mine, rfc3987-syntax", {"rfc3987-syntax"}),
        ("jsonschema, mine", "rfc3987-syntax", set()),
    ],
)
def test_a_grammar_is_left_out_only_where_nobody_else_asks_for_it(
    grammar: str, parser: str, left_out: set[str]
) -> None:
    asked = {"jsonschema": "cesello (pyproject.toml)", "rfc3987-syntax": grammar, "lark": parser}
    pins = {name: [f"{name}==1 \\", "    --hash=sha256:00", f"    # via {by}"] for name, by in asked.items()}
    assert needless(pins) == left_out
