"""Where procedures are kept, version by version, and where it is written what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..procedure import Adopted, Change, Procedure, ProcedureRun, Status, Version
from ..procedure_check import Checked
from ..procedure_match import Learnt
from ..request_features import Features
from ..ridge import RidgeFit


class ProcedureFormat(Protocol):
    """What the files of a procedure say."""

    def check(self, files: Mapping[str, bytes], where: str, name: str | None = None) -> Checked:
        """Reads files, and says all that is wrong and what could be better.

        Args:
            where: their folder, as messages name it.
            name: that it must have; None: any.
        """
        ...

    def read(self, files: Mapping[str, bytes], where: str, name: str | None = None) -> Procedure:
        """What they say.

        Raises:
            InvalidProcedure: D042, all that is wrong.
        """
        ...

    def write(self, procedure: Procedure) -> Mapping[str, bytes]:
        """Files that say that, and are read as the same procedure."""
        ...

    def named(self, files: Mapping[str, bytes], name: str) -> Mapping[str, bytes]:
        """The same files with another name in ``SKILL.md``."""
        ...

    def with_body(self, files: Mapping[str, bytes], body: str) -> Mapping[str, bytes]:
        """The same files with another body in ``SKILL.md``."""
        ...

    def adopted(self, files: Mapping[str, bytes], where: str, name: str) -> Adopted:
        """Files of another program as this one has them, with what had to be changed.

        Args:
            name: that it is to have; empty: its own, or that of the folder.

        Raises:
            InvalidProcedure: D042, where there is nothing to take.
        """
        ...

    def portable(self, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """The same with a head of ``SKILL.md`` that every reader of the specification takes."""
        ...


class ProcedureFolders(Protocol):
    """Folders anywhere on the disk."""

    def read(self, path: str) -> Mapping[str, bytes]:
        """Its files, by path within the folder; a path of a ``SKILL.md`` stands for its folder.

        Raises:
            DataError: D043 when there is none. D046 when it holds links, pipes or devices, or too much.
            StorageError: I003 when it cannot be read.
        """
        ...

    def write(self, path: str, files: Mapping[str, bytes]) -> None:
        """Makes a folder of files.

        Raises:
            UsageError: C112 when something else is there.
            RetryableError: T075 when the disk is full. StorageError: I003 when it cannot be written.
        """
        ...


class ProcedureStore(Protocol):
    """All procedures of a project. What a person has edited is a version of its own and never overwritten.

    Every method raises DataError D044 when what it keeps was damaged, RetryableError T098 when another
    process keeps it busy, and StorageError I003 or RetryableError T075 when the disk does not take a change.
    """

    def names(self) -> Sequence[str]:
        """Of all folders that hold a ``SKILL.md``, sorted."""
        ...

    def folder(self, name: str) -> Mapping[str, bytes]:
        """The files in a folder as they stand there, recorded or not, well-formed or not.

        Raises:
            DataError: D043 when there is none. D046 when it holds links, pipes or devices, or too much.
            UsageError: C111 when none can be called that.
        """
        ...

    def standing(self, name: str) -> tuple[Procedure, Version]:
        """The procedure as it stands in its folder, with its version.

        A folder that was edited since is recorded as a new version first: a draft, where one of its name is
        active, else active.

        Raises:
            DataError: D042 with all its mistakes, D043, D046.
        """
        ...

    def active(self) -> Sequence[tuple[Procedure, Version]]:
        """The active version of every procedure that has one and a folder, by name, whatever stands in it.

        A folder that is new is recorded first, where it is well-formed.
        """
        ...

    def versions(self, name: str) -> Sequence[Version]:
        """Newest first.

        Raises:
            DataError: D043 when there is none of that name.
        """
        ...

    def changes(self, name: str) -> Sequence[Change]:
        """Of the status of its versions, newest first.

        Raises:
            DataError: D043 when there is none of that name.
        """
        ...

    def version(self, name: str, sha: str) -> Version:
        """That version; the sha may be cut to 8 digits or more, where it is still one alone.

        Raises:
            DataError: D043 when there is none.
        """
        ...

    def read(self, name: str, sha: str) -> Procedure:
        """What that version says; the sha may be cut, with the same errors."""
        ...

    def files(self, name: str, sha: str) -> Mapping[str, bytes]:
        """Its files, by path within the folder; the same errors."""
        ...

    def add(self, name: str, files: Mapping[str, bytes], *, author: str, parent: str = "") -> Version:
        """Records a version, a draft, without touching the folder of one that is there.

        Files that are a version already are that version.

        Args:
            parent: the version that it was made from; empty: the active one.

        Raises:
            DataError: D042 when it is not well-formed. D043 when there is no such parent.
        """
        ...

    def set_status(
        self, name: str, sha: str, status: Status, reason: str = "", *, replaced: str = ""
    ) -> Version:
        """Changes what may be done with a version; one that becomes active retires the one that was, and
        one that is tried makes a draft of the one that was tried.

        Args:
            replaced: the reason of the one that is retired.

        Raises:
            DataError: D043 when there is none.
        """
        ...

    def check_out(self, name: str, sha: str) -> None:
        """Puts the files of a version into the folder.

        Raises:
            UsageError: C110 when the folder holds edits that are in no version. DataError: D043.
        """
        ...


class ProcedureLog(Protocol):
    """What came of procedures: rows are added, never changed. A run that is judged later is added again."""

    def add(self, *runs: ProcedureRun) -> None:
        """Writes down runs with their steps, all or none; when this returns they outlast a power cut.

        Raises:
            RetryableError: T075 when the disk is full. StorageError: I003 when it cannot be written.
        """
        ...

    def runs(self, name: str | None = None, last: int | None = None) -> Sequence[ProcedureRun]:
        """Those of a procedure, or all, newest first: of each run its last row, in the place of its first."""
        ...


class RidgeRegression(Protocol):
    """Learns from requests what others are for. Nothing is drawn: the same rows give the same votes."""

    def fit(self, rows: Sequence[Features], targets: Sequence[Sequence[float]], penalty: float) -> RidgeFit:
        """Kernel ridge regression without a constant, on how like each other the rows are.

        Args:
            targets: shape (len(rows), c).
            penalty: above 0.
        """
        ...


class MatchingFile(Protocol):
    """Where it is kept what matching has learnt."""

    @property
    def place(self) -> str:
        """As messages name it."""
        ...

    def read(self) -> Learnt | None:
        """What was learnt last; None: nothing.

        Raises:
            DataError: D048 when it is damaged, or is none that this version of cesello reads. It was put
                aside: the next time nothing is there.
        """
        ...

    def write(self, learnt: Learnt) -> None:
        """Keeps it in place of what was there.

        Raises:
            RetryableError: T075 when the disk is full. StorageError: I003 when it cannot be written.
        """
        ...
