"""Examples in files: any number of them, read one at a time, so that memory stays flat.

A set of examples is a folder: ``tokens.bin`` (int32), ``trained.bin`` (a byte a token), ``rows.jsonl`` (place
and conversation), ``index.bin`` (where each row ends, and its counts), ``facts.json``. It is written under
a name of its own and renamed when it is whole, so a folder that is found is complete. Its writer holds a lock
on it: what nobody locks was left by a process that died, and is cleared away.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock

from ...domain.conversation import Conversation
from ...domain.conversation_json import from_json, identity, reference_text, to_json
from ...domain.errors import RetryableError, StorageError
from ...domain.example import Example
from ...domain.ports.data import Examples, ExampleWriter, Spool
from ...domain.tokens import Fingerprint, TokenRow

FORMAT = 1
_PARTIAL = ".partial"
_FILES = ("tokens.bin", "trained.bin", "rows.jsonl")
_COLUMNS = {
    "token_ends": "Q",
    "text_ends": "Q",
    "lengths": "I",
    "trained": "I",
    "identities": "Q",
    "truncated": "B",
}


class DiskExampleStore:
    """Sets of examples under one folder.

    Args:
        folder: made when something is first written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> Examples | None:
        """The set of that key when it is here and whole."""
        path = self._folder / key
        try:
            facts = json.loads((path / "facts.json").read_text(encoding="utf-8"))
            if facts["format"] != FORMAT or facts["byteorder"] != sys.byteorder:
                return None
            return DiskExamples(path, facts)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, EOFError):
            return None

    def create(self, key: str | None) -> ExampleWriter:
        """A new set; without a key it lasts as long as somebody holds it."""
        with _writing(self._folder), _alone(self._folder):
            self._clear()
            partial = self._folder / f"{key or 'unnamed'}.{os.urandom(4).hex()}{_PARTIAL}"
            return DiskExampleWriter(partial, self._folder / key if key else None)

    def spool(self) -> Spool:
        """Conversations that wait to be chosen from."""
        with _writing(self._folder):
            _make(self._folder)
            return DiskSpool(self._folder)

    def _clear(self) -> None:
        for left in self._folder.glob(f"*{_PARTIAL}"):
            with suppress(OSError), _lock(left):  # which fails while somebody writes it
                _remove(left)


class DiskSpool:
    """Places and conversations in the order they came, in a file without a name."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile("w+b", dir=folder)  # noqa: SIM115
        self._where = folder
        self._ends = array("Q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, place: str, conversation: Conversation) -> None:
        with _writing(self._where):
            self._ends.append(self._ends[-1] + self._file.write(_line(place, conversation)))

    def __getitem__(self, index: int) -> tuple[str, Conversation]:
        begin, end = self._ends[index], self._ends[index + 1]
        with _writing(self._where):
            self._file.flush()
            return _row(os.pread(self._file.fileno(), end - begin, begin))

    def close(self) -> None:
        with suppress(OSError):  # a full disk is told when it is written to, not when all is forgotten
            self._file.close()


class DiskExampleWriter:
    """Writes a set of examples from its first to its last."""

    def __init__(self, partial: Path, final: Path | None) -> None:
        partial.mkdir(mode=0o700)
        self._lock = _lock(partial)
        self._lock.acquire()
        self._partial = partial
        self._final = final
        self._columns = {name: array(code) for name, code in _COLUMNS.items()}
        self._text_end = self._token_end = 0
        self._fingerprint = Fingerprint()
        self._files = [_created(partial / name) for name in _FILES]

    def append(self, example: Example) -> None:
        row, line = example.tokens, _line(example.place, example.conversation)
        with _writing(self._partial.parent):
            for file, content in zip(self._files, (row.ids.tobytes(), row.trained, line), strict=True):
                file.write(content)
        self._token_end += len(row)
        self._text_end += len(line)
        counts = (
            self._token_end,
            self._text_end,
            len(row),
            row.trained_tokens,
            identity(example.conversation),
            row.truncated,
        )
        for column, value in zip(self._columns.values(), counts, strict=True):
            column.append(int(value))
        self._fingerprint.add(row, reference_text(example.conversation))

    def commit(self, facts: Mapping[str, Any]) -> Examples:
        index = hashlib.sha256()
        for column in self._columns.values():
            index.update(column)
        kept = {
            "format": FORMAT,
            "byteorder": sys.byteorder,
            "rows": len(self._columns["lengths"]),
            "fingerprint": self._fingerprint.hexdigest(),
            "index": index.hexdigest(),
            "facts": dict(facts),
        }
        with _writing(self._partial.parent):
            self._close(json.dumps(kept).encode())
            examples = DiskExamples(self._partial, kept, self._columns)
            if self._final is not None:
                self._take_name(self._final)
        self.discard()  # of a set without a name the open files stay, and go with the process
        return examples

    def discard(self) -> None:
        for file in self._files:
            with suppress(OSError):  # what a full disk did not take is not missed
                file.close()
        _remove(self._partial)
        self._lock.release()

    def _close(self, facts: bytes) -> None:
        with ExitStack() as closing:
            for file in self._files:
                closing.callback(file.close)
            index = closing.enter_context(_created(self._partial / "index.bin"))
            for column in self._columns.values():
                index.write(column)
            last = closing.enter_context(_created(self._partial / "facts.json"))
            last.write(facts)
            if self._final:
                for file in (*self._files, index, last):
                    file.flush()
                    os.fsync(file.fileno())

    def _take_name(self, final: Path) -> None:
        """The set of that name, if there is one, makes way; who has it open keeps it."""
        old = self._partial.with_name(f"old-{self._partial.name}")
        with _alone(self._partial.parent):
            with suppress(FileNotFoundError):
                final.rename(old)
            self._partial.rename(final)
        _remove(old)


class DiskExamples:
    """A whole set of examples.

    Raises:
        ValueError: the index is not the one that was written, or another file is not as long as it says.
    """

    def __init__(
        self, path: Path, kept: Mapping[str, Any], columns: Mapping[str, array[int]] | None = None
    ) -> None:
        self.facts: Mapping[str, Any] = kept["facts"]
        self.fingerprint: str = kept["fingerprint"]
        columns = columns or _columns(path / "index.bin", kept)
        self._token_ends, self._text_ends = columns["token_ends"], columns["text_ends"]
        self.lengths: Sequence[int] = columns["lengths"]
        self.trained_tokens: Sequence[int] = columns["trained"]
        self.identities: Sequence[int] = columns["identities"]
        self.truncated: Sequence[int] = columns["truncated"]
        tokens = self._token_ends[-1] if kept["rows"] else 0
        texts = self._text_ends[-1] if kept["rows"] else 0
        with ExitStack() as opened:
            self._files = [opened.enter_context((path / name).open("rb")).fileno() for name in _FILES]
            if [os.fstat(file).st_size for file in self._files] != [4 * tokens, tokens, texts]:
                raise ValueError("a file is not as long as the index says")
            weakref.finalize(self, opened.pop_all().close)

    def __len__(self) -> int:
        return len(self.lengths)

    def tokens(self, index: int) -> TokenRow:
        length = self.lengths[index]
        begin = self._token_ends[index] - length
        ids = array("i")
        # pread has no position of its own, so that forked workers can share the file.
        ids.frombytes(os.pread(self._files[0], 4 * length, 4 * begin))
        trained = os.pread(self._files[1], length, begin)
        return TokenRow(ids, trained, bool(self.truncated[index]))

    def example(self, index: int) -> Example:
        begin = self._text_ends[index - 1] if index else 0
        place, conversation = _row(os.pread(self._files[2], self._text_ends[index] - begin, begin))
        return Example(place, conversation, self.tokens(index))


def _columns(path: Path, kept: Mapping[str, Any]) -> dict[str, array[int]]:
    columns = {name: array(code) for name, code in _COLUMNS.items()}
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size != kept["rows"] * sum(map(_width, columns.values())):
            raise ValueError("the index is of another number of rows")
        for column in columns.values():
            column.fromfile(file, kept["rows"])
            digest.update(column)
    if digest.hexdigest() != kept["index"]:
        raise ValueError("the index is not the one that was written")
    return columns


def _width(column: array[int]) -> int:
    return column.itemsize


def _line(place: str, conversation: Conversation) -> bytes:
    return f"{json.dumps(place)}\t{to_json(conversation)}\n".encode("utf-8", "surrogatepass")


def _row(line: bytes) -> tuple[str, Conversation]:
    place, _, conversation = line.decode("utf-8", "surrogatepass").partition("\t")
    return json.loads(place), from_json(conversation)


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _alone(folder: Path) -> FileLock:
    """Held for moments: while a set is made and locked, and while it takes its name."""
    _make(folder)
    return FileLock(folder / ".lock", mode=0o600)


def _lock(partial: Path) -> FileLock:
    """Held as long as the set is written; the system releases it when the process dies."""
    return FileLock(partial / ".lock", timeout=0, mode=0o600, thread_local=False)


def _created(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # it was a file, or it is gone
        path.unlink()


@contextmanager
def _writing(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise RetryableError(
                "T075", "the disk is full", where=str(where), got=str(cause),
                fix="free some space, or set CESELLO_HOME to a folder on another disk",
            ) from cause  # fmt: skip
        raise StorageError(
            "I004", "prepared rows cannot be written", where=str(where), got=str(cause),
            fix="set CESELLO_HOME to a folder that can be written",
        ) from cause  # fmt: skip
