"""What is committed serves everybody: it names no path of one machine and no package host."""

from __future__ import annotations

import re

import pytest

from tests.repository import committed_files, name_of

PRIVATE = {
    "a path of one machine": re.compile(r"(?<![\w.~])/(?:Users|farm|home|mnt|opt|root|tmp|work)/\w"),
    "a package host": re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|download\.pytorch\.org"),
}


def private(line: str) -> list[str]:
    """What in a line is one machine's own."""
    return [what for what, pattern in PRIVATE.items() if pattern.search(line)]


def test_no_committed_line_belongs_to_one_machine() -> None:
    found = []
    for path in committed_files():
        lines = path.read_text(errors="replace").splitlines()
        found += [f"{name_of(path)}:{n} {line[:80]}" for n, line in enumerate(lines, 1) if private(line)]
    assert not found


@pytest.mark.parametrize(
    "line", ["open('/" + "root/x')", "cd /" + "work/main", "https://pypi" + ".org/simple"]
)
def test_what_belongs_to_one_machine_is_seen(line: str) -> None:
    assert private(line)


@pytest.mark.parametrize(
    "line", ["~/" + "work/x", "src/home/x", "from .work import x", "/usr/bin/env", "/home"]
)
def test_what_belongs_to_nobody_passes(line: str) -> None:
    assert not private(line)
