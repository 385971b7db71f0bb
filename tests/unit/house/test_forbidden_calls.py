"""Nothing in src runs what it reads: no pickle, eval, exec, yaml.load, shell or archive extraction."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository import name_of, source_files

BUILTINS = {"eval", "exec", "__import__"}
MODULES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
METHODS = {"extractall", "unpack_archive"}
FUNCTIONS = {
    "os.popen",
    "os.system",
    "torch.load",
    "torch.save",
    "yaml.full_load",
    "yaml.load",
    "yaml.unsafe_load",
}
ONLY_FALSE = {"shell", "trust_remote_code", "allow_pickle"}


def forbidden(source: str) -> Iterator[str]:
    """What is forbidden in a text of Python, each with its line."""
    for node in ast.walk(ast.parse(source)):
        for what in _forbidden_in(node):
            yield f"{getattr(node, 'lineno', 0)}: {what}"


def _forbidden_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names if alias.name.split(".")[0] in MODULES)
        case ast.ImportFrom(module=str(module), names=names):
            if module.split(".")[0] in MODULES:
                yield module
            called = {f"{module}.{alias.name}" for alias in names}
            yield from called & FUNCTIONS
        case ast.Name(id=name) if name in BUILTINS:
            yield name
        case ast.Attribute(attr=method) if method in METHODS or ast.unparse(node) in FUNCTIONS:
            yield ast.unparse(node)
        case ast.keyword(arg=str(name), value=value) if name in ONLY_FALSE:
            if not (isinstance(value, ast.Constant) and value.value is False):
                yield f"{name}={ast.unparse(value)}"
        case _:
            pass


SANDBOXED = {"program.py": ["exec"], "checks.py": ["exec", "exec"]}
"""What runs inside the sandbox, in processes that the kernel holds, is there to run what it reads."""


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_source_runs_nothing_it_reads(path: Path) -> None:
    is_inside = path.parent.parts[-2:] == ("sandbox", "inside")
    allowed = SANDBOXED.get(path.name, []) if is_inside else []
    assert [found.partition(": ")[2] for found in forbidden(path.read_text())] == allowed


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.parallel",
        "eval(text)",
        "run = exec",
        "__import__(name)",
        "yaml.load(text)",
        "from yaml import unsafe_load",
        "torch.load(path)",
        "os.system(command)",
        "archive.extractall()",
        "shutil.unpack_archive(path)",
        "run(command, shell=True)",
        "load(name, trust_remote_code=flag)",
        "numpy.load(path, allow_pickle=True)",
    ],
)
def test_each_way_to_run_what_is_read_is_seen(source: str) -> None:
    assert list(forbidden(source))


@pytest.mark.parametrize(
    "source",
    ["json.loads(text)", "yaml.safe_load(text)", "load(name, trust_remote_code=False)", "model.eval()"],
)
def test_what_is_harmless_passes(source: str) -> None:
    assert not list(forbidden(source))
