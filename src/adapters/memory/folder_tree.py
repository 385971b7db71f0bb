"""The files of a folder that are worth remembering."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ...domain.document import SourceFile
from ...domain.errors import DataError
from ...domain.remembered import FileMark, SkippedFile
from .ignore_rules import IGNORE_FILES, Rules, is_ignored, rules_in, rules_of_named

_VENDORED = {
    "node_modules", "bower_components", "jspm_packages", "Pods", "vendor", "third_party",
    "site-packages", "venv", "virtualenv", "__pycache__", "__pypackages__",
}  # fmt: skip
_HIDDEN_BUT_READ = {".github", ".gitlab-ci.yml"}
_LOCKS = {
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "poetry.lock", "uv.lock",
    "pdm.lock", "Pipfile.lock", "Cargo.lock", "Gemfile.lock", "composer.lock", "go.sum", "Podfile.lock",
}  # fmt: skip
_GENERATED_NAME = re.compile(r"(\.min\.(js|css|mjs)|\.(js|css)\.map|_pb2(_grpc)?\.pyi?|\.pb\.go|\.lock)$")
_GENERATED_TEXT = re.compile(  # of a comment, as others speak of such files
    rb"^(?:\xef\xbb\xbf)?[ \t]*(?:#|//|/?\*|--|;|<!--|%).*(?:@generated\b|code generated .{0,80}do not edit)",
    re.IGNORECASE | re.MULTILINE,
)
_HEAD = 2_000
"""Bytes at the beginning of a file that say whether a program wrote it."""
_LONG_LINES = 1_000
"""Bytes of a line on average, above which a file is for programs to read."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_PAUSE = 0.2
"""Seconds between two looks whether a folder is there that can be watched."""


class FolderTree:
    """Implements ``SourceTree``.

    Args:
        folder: that paths are relative to.
        largest: bytes of a file that is read.
    """

    def __init__(self, folder: Path, largest: int = 1_000_000) -> None:
        self._folder = os.path.abspath(folder)
        self._largest = largest

    def named(self, path: str) -> str:
        whole = os.path.abspath(os.path.join(self._folder, path))
        if not os.path.lexists(whole):
            raise DataError(
                "D040",
                "there is nothing to remember",
                where=path,
                got="no file or folder of that name",
                fix="correct the path; `cesello forget` takes away what was remembered of it",
            )
        return self.relative(whole)

    def walk(self, root: str) -> Iterator[FileMark | SkippedFile]:
        whole = os.path.join(self._folder, root) if root != "." else self._folder
        if not os.path.isdir(whole):
            yield from self._file(whole, named=True)
            return
        pending = [(whole, rules_of_named(whole, self._folder))]
        while pending:
            folder, rules = pending.pop()
            folders: list[tuple[str, Rules]] = []
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                yield SkippedFile(self.relative(folder), "unreadable")
                continue
            for entry in entries:
                reason = _kept_out(entry, rules)
                if reason:
                    yield SkippedFile(self.relative(entry.path), reason)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, rules_in(entry.path, rules)))
                else:
                    yield from self._file(entry.path)
            pending += reversed(folders)

    def changes(self, roots: Sequence[str], ended: Callable[[], bool]) -> Iterator[None]:
        begun = False
        places = [os.path.normpath(os.path.join(self._folder, root)) for root in roots]
        for changed in _watched(places):
            if ended():
                return
            # What changed before the watch was up is told of once it is. The memory itself lies there
            # too, and is written after every change.
            if not begun or any(self._is_seen(place, path) for path in changed for place in places):
                begun = True
                yield

    def read(self, mark: FileMark) -> SourceFile | SkippedFile:
        try:
            content = self._content(mark)
        except OSError:
            return SkippedFile(mark.path, "unreadable")
        if content is None:
            return SkippedFile(mark.path, "changed")
        if b"\0" in content[:8_192] and content[:2] not in _UTF16:
            return SkippedFile(mark.path, "binary")
        if _is_generated(content):
            return SkippedFile(mark.path, "generated")
        return SourceFile(mark.path, content)

    def _content(self, mark: FileMark) -> bytes | None:
        """The bytes, or None where the file is not the one of the mark before and after they were read."""
        # Not to wait for a writer where a pipe has taken the file's place.
        descriptor = os.open(os.path.join(self._folder, mark.path), os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            content = file.read(self._largest + 1) if stat.S_ISREG(before.st_mode) else b""
            for state in (before, os.fstat(descriptor)):
                if (state.st_size, state.st_mtime_ns) != (mark.size, mark.modified):
                    return None
        return content if len(content) == mark.size else None

    def _file(self, whole: str, *, named: bool = False) -> Iterator[FileMark | SkippedFile]:
        path = self.relative(whole)
        try:
            state = os.stat(whole)
        except OSError:
            yield SkippedFile(path, "unreadable")
            return
        reason = self._file_kept_out(PurePosixPath(path).name, state, named)
        yield SkippedFile(path, reason) if reason else FileMark(path, state.st_size, state.st_mtime_ns)

    def _file_kept_out(self, name: str, state: os.stat_result, named: bool) -> str:
        if not stat.S_ISREG(state.st_mode):
            return "special"
        if not state.st_size:
            return "empty"
        if state.st_size > self._largest:
            return "large"
        if not named and (name in _LOCKS or _GENERATED_NAME.search(name)):
            return "generated"
        return ""

    def relative(self, path: str) -> str:
        return os.path.relpath(os.path.join(self._folder, path), self._folder).replace(os.sep, "/")

    def _is_seen(self, root: str, path: str) -> bool:
        """Whether a walk of the root would come by a file, or read it to know what is ignored."""
        if root == path:
            return True
        if not path.startswith(os.path.join(root, "")):
            return False
        at, rules = root, rules_of_named(root, self._folder)
        *folders, name = os.path.relpath(path, root).split(os.sep)
        for folder in folders:
            at = os.path.join(at, folder)
            if folder in _VENDORED or _is_hidden(folder) or is_ignored(at, rules, folder=True):
                return False
            rules = rules_in(at, rules)
        return name in IGNORE_FILES or not (_is_hidden(name) or is_ignored(path, rules, folder=False))


def _watched(places: Sequence[str]) -> Iterator[set[str]]:
    """Paths that have changed, now and then none.

    A folder can be moved away, or deleted, and another one get its name, which the watch knows nothing of. It
    is begun anew then, and all places are told of: what changed meanwhile was seen by nobody.
    """
    missed: set[str] = set()
    while True:
        folders = _folders(places)
        for changed in _told_of(folders):
            yield changed | missed
            missed = set()
            # A new folder may have the number of a deleted one, of which the watch tells then.
            if _folders(places) != folders or not changed.isdisjoint(folders):
                break
        else:
            return
        missed = set(places)


def _folders(places: Sequence[str]) -> dict[str, tuple[bool, int, int]]:
    """The folders to watch: whether with all that is below, and which one has the name now.

    Of a file that is named its folder is watched: an editor that puts another file in its place, or somebody
    who deletes it and writes it again, would end the watch of the file itself.
    """
    found: dict[str, tuple[bool, int, int]] = {}
    for place in places:
        for folder in (place, os.path.dirname(place)):
            with suppress(OSError):
                state = os.stat(folder)
                if stat.S_ISDIR(state.st_mode):
                    deep = folder == place or found.get(folder, (False,))[0]
                    found[folder] = (deep, state.st_dev, state.st_ino)
                    break
    return found


def _told_of(folders: Mapping[str, tuple[bool, int, int]]) -> Iterator[set[str]]:
    """Paths in folders that have changed, now and then none; ends with Ctrl-C.

    Where there is nothing to watch it waits for folders that are, and one that went is told of.
    """
    from watchfiles import watch

    watches = [
        watch(
            *paths,
            recursive=recursive,
            debounce=400, step=100, rust_timeout=200, yield_on_timeout=True, raise_interrupt=False,
        )
        for recursive in (True, False)
        if (paths := [path for path, (deep, *_) in folders.items() if deep is recursive])
    ]  # fmt: skip
    try:
        for changes in zip(*watches, strict=False):
            yield {path for changed in changes for _, path in changed}
        if watches:
            return
    except FileNotFoundError:  # a folder went before it was watched
        pass
    while True:
        time.sleep(_PAUSE)
        yield set(folders)


def _kept_out(entry: os.DirEntry[str], rules: Rules) -> str:
    """Why an entry is left alone; empty where it is not."""
    try:
        folder = entry.is_dir(follow_symlinks=False)
        if is_ignored(entry.path, rules, folder=folder):
            return "ignored"
        if _is_hidden(entry.name):
            return "hidden"
        if entry.is_symlink():
            return "link"
        return "vendored" if folder and _is_vendored(entry) else ""
    except OSError:
        return "unreadable"


def _is_vendored(folder: os.DirEntry[str]) -> bool:
    # A tag by which programs mark their caches: https://bford.info/cachedir/
    marks = ("CACHEDIR.TAG", "pyvenv.cfg")
    return folder.name in _VENDORED or any(os.path.exists(os.path.join(folder.path, one)) for one in marks)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name not in _HIDDEN_BUT_READ


def _is_generated(content: bytes) -> bool:
    if _GENERATED_TEXT.search(content[:_HEAD]):
        return True
    return len(content) > 5 * _LONG_LINES and len(content) / (content.count(b"\n") + 1) > _LONG_LINES
