"""Loading a function from a Python file under a root folder, and from nowhere else.

A recipe can come from a stranger. So a name in it never reaches a module that is installed: not
``os:system``, not what a file under the root has imported, and not a root that is itself a library.
"""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from ...domain.errors import DataError

_INSTALLED = {"site-packages", "dist-packages"}


def function_under(root: Path, module: str, name: str, asked_by: str) -> Callable[..., object]:
    """What a module that lies under root, as ``module.py`` or ``module/__init__.py``, calls ``name``.

    The module is loaded once, under a name of root's own, so that it takes no installed module's place.
    While it is loaded it can import other files under root.

    Args:
        asked_by: where errors say that it was named, as ``source "mine"``.

    Raises:
        DataError: D001 when there is no such file or name, or it is none of the root's own.
        Exception: whatever the file raises when it is loaded.
    """
    root = root.resolve()
    file = _file_of(root, module)
    if file is None:
        raise _missing(f'no module "{module}" is under the root', asked_by, f"write {_path_of(module)} there")
    with _importable(root):
        loaded = import_module(f"{_package(root).__name__}.{module}")
    if Path(str(loaded.__file__)).resolve() != file:
        raise _missing(f'something hides the module "{module}"', asked_by, f"rename {_path_of(module)}")
    if name not in vars(loaded):
        raise _missing(f'"{module}" has no function "{name}"', asked_by, f"define it in {_path_of(module)}")
    found: Callable[..., object] = vars(loaded)[name]
    if callable(found) and not _is_defined_under(root, found):
        what = f'"{module}" only imports its "{name}"'
        raise _missing(what, asked_by, f"define a function with def in {_path_of(module)}")
    return found


def print_of(root: Path, module: str) -> str:
    """A sha256 of the file that ``function_under`` would load; "nothing" where it would find none."""
    file = _file_of(root.resolve(), module)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file else "nothing"


def _missing(what: str, asked_by: str, fix: str) -> DataError:
    return DataError("D001", what, where=asked_by, fix=fix)


def _path_of(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


def _file_of(root: Path, module: str) -> Path | None:
    """The module's file, links followed."""
    path = root.joinpath(*module.split("."))
    files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((file.resolve() for file in files if file.is_file() and _is_own(root, file)), None)


def _is_own(root: Path, file: Path) -> bool:
    """Whether a file lies under root, with links followed, and is not part of any Python installation."""
    real = file.resolve()
    libraries = (Path(path).resolve() for path in map(sysconfig.get_path, ("stdlib", "platstdlib")))
    return (
        real.is_relative_to(root)
        and not _INSTALLED & set(real.parts)
        and not any(real.is_relative_to(library) for library in libraries)
        # The standard library of another interpreter, whose functions run commands as well.
        and not any((folder / "os.py").exists() for folder in real.parents)
    )


def _is_defined_under(root: Path, function: Callable[..., object]) -> bool:
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    return file is not None and _is_own(root, Path(file))


def _package(root: Path) -> ModuleType:
    """The package whose modules are the files of root."""
    name = f"_cesello_root_{hashlib.sha256(str(root).encode()).hexdigest()[:16]}"
    if name not in sys.modules:
        made = ModuleType(name, f"Files under {root}.")
        made.__path__ = [str(root)]
        sys.modules[name] = made
    return sys.modules[name]


@contextmanager
def _importable(root: Path) -> Iterator[None]:
    """Files of root can be imported by their own names too; installed modules come first."""
    before = list(sys.path)
    sys.path.append(str(root))
    try:
        yield
    finally:
        sys.path[:] = before
