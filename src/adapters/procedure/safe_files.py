"""The files of a folder that may be a stranger's, read and written so that nothing leads out of it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from ...domain.errors import CeselloError, DataError, RetryableError, StorageError, UsageError

_MOST_FILES, _MOST_BYTES, _DEEPEST = 500, 16 << 20, 8
_LEFT = re.compile(r"__pycache__|\.git|\.DS_Store|.*\.pyc|.*~|\.#.*|\..*\.sw[a-p]")
"""What programs put beside a person's files: no part of a procedure, and left where it is."""
_making = Lock()


class SafeFolders:
    """Implements ``ProcedureFolders``."""

    def read(self, path: str) -> Mapping[str, bytes]:
        whole = Path(os.path.realpath(path))
        folder = whole.parent if whole.name.lower() == "skill.md" and whole.is_file() else whole
        if not folder.is_dir():
            fix = "name a folder that holds a SKILL.md, or its SKILL.md"
            raise DataError("D043", "there is no such folder", where=path, fix=fix)
        return read_folder(folder)

    def write(self, path: str, files: Mapping[str, bytes]) -> None:
        folder = Path(path)
        if os.path.lexists(folder):
            if folder.is_dir() and not folder.is_symlink() and read_folder(folder) == files:
                return
            fix = "choose another folder, or delete it"
            raise UsageError("C112", "something else is there already", where=path, fix=fix)
        with writing(folder):
            partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
            try:
                write_folder(partial, files)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Its files by path within, links never followed, sorted.

    Raises:
        DataError: D046. StorageError: I003.
    """
    found: dict[str, bytes] = {}
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            for path, content in _walk(descriptor, "", folder):
                found[path] = content
                size = sum(map(len, found.values()))
                if len(found) > _MOST_FILES or size > _MOST_BYTES:
                    got = f"{len(found)} files, {size} bytes so far"
                    limit = f"at most {_MOST_FILES} files and {_MOST_BYTES >> 20} MiB"
                    raise _unsafe(folder, "there is too much in the folder", got, limit)
        finally:
            os.close(descriptor)
    except OSError as cause:
        if cause.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _unsafe(folder, "a procedure is a folder of its own", "a link or a file") from cause
        fix = "check the folder and its permissions"
        raise StorageError(
            "I003", "the files of a procedure cannot be read", where=str(folder), got=str(cause), fix=fix
        ) from cause
    return dict(sorted(found.items()))


def _walk(descriptor: int, above: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    with os.scandir(descriptor) as entries:
        names = sorted(entry.name for entry in entries if not _LEFT.fullmatch(entry.name))
    for name in names:
        path = above + name
        if not name.isprintable():  # half a surrogate pair stands for a byte that is not UTF-8
            raise _unsafe(folder, "a file has a name that cannot be shown", ascii(path))
        # What is opened is what was looked at: no link is followed, no writer of a pipe is waited for.
        try:
            inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
        except OSError as cause:
            if cause.errno in (errno.ELOOP, errno.ENXIO):
                raise _unsafe(folder / path, "a procedure has files alone", "a link or a socket") from cause
            raise
        try:
            mode = os.fstat(inner).st_mode
            if stat.S_ISDIR(mode) and path.count("/") < _DEEPEST:
                yield from _walk(inner, f"{path}/", folder)
            elif stat.S_ISREG(mode):
                yield path, _content(inner)
            else:
                got = "folders too deep" if stat.S_ISDIR(mode) else "a pipe or a device"
                raise _unsafe(folder / path, "a procedure has files alone", got)
        finally:
            os.close(inner)


def _content(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read(_MOST_BYTES + 1)


def _unsafe(where: Path, what: str, got: str, expected: str | None = None) -> DataError:
    fix = "take it out of the folder, or put a copy in its place"
    return DataError("D046", what, where=str(where), got=got, expected=expected, fix=fix)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Makes a new folder, and brings it to the disk. A file that names its interpreter can be run."""
    folder.mkdir(parents=True)
    for path, content in files.items():
        whole = folder / path
        if not whole.resolve().is_relative_to(folder.resolve()):
            raise _unsafe(folder, "a file would lie outside the folder", path)
        whole.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o777 if content.startswith(b"#!") else 0o666
        with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync(inner)


def left_beside(folder: Path) -> Iterator[Path]:
    """What lies in a folder and is no part of a procedure, and could not be made again: empty folders too."""
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir() and not path.is_symlink()
        if _LEFT.fullmatch(path.name):
            if path.name != "__pycache__" and path.suffix != ".pyc":
                yield path
        elif is_folder and not any(path.iterdir()):
            yield path
        elif is_folder:
            yield from left_beside(path)


def move_beside(old: Path, new: Path) -> bool:
    """Moves ``left_beside`` of a folder into another; whether all of it is there now."""
    moved = True
    for path in list(left_beside(old)):
        target = new / path.relative_to(old)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(target):
                path.rename(target)
            elif not (path.is_dir() and target.is_dir() and not any(path.iterdir())):
                moved = False
        except OSError:  # a file has the name of a folder
            moved = False
    return moved


def keep_executable(old: Path, new: Path) -> None:
    """What could be run in the old folder can be run in the new one."""
    for path in new.rglob("*"):
        before = old / path.relative_to(new)
        if path.is_file() and before.is_file() and not before.is_symlink():
            path.chmod(path.stat().st_mode | (before.stat().st_mode & 0o111))


def keep_out(folder: Path, pattern: str = "*") -> None:
    """Keeps files of a folder out of repositories, unless a person has said already what is."""
    with suppress(FileExistsError), (folder / ".gitignore").open("x") as ignore:
        ignore.write(f"{pattern}\n")


def sync(folder: Path) -> None:
    """Brings a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(where: Path) -> Iterator[None]:
    """What the disk refuses, in our form."""
    try:
        yield
    except CeselloError:
        raise
    except OSError as cause:
        raise refused(where, cause) from cause


def refused(where: Path, cause: OSError) -> CeselloError:
    """T075 where the disk is full, else I003."""
    if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        fix = "free some space and run the command again; nothing half-written was kept"
        return RetryableError("T075", "the disk is full", where=str(where), got=str(cause), fix=fix)
    fix = "check the folder and its permissions"
    return StorageError("I003", "a procedure cannot be written", where=str(where), got=str(cause), fix=fix)


def make_private(file: Path) -> None:
    """An empty file for its owner alone, where there is none.

    SQLite would make it readable to everybody; its log and the log's index are made like it. One that is
    there is not opened: closing it would take from this process the locks that SQLite has on it (POSIX).
    """
    with _making:
        if not file.exists():
            with suppress(FileExistsError):  # another process was faster
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
