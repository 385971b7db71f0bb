"""Datasets of the Hugging Face hub, through the ``datasets`` library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import datasets
from datasets.exceptions import DatasetNotFoundError, DatasetsError

from ...domain.errors import DataError
from ...domain.source import SourceRow, identity_of

_COMMIT = re.compile("[0-9a-f]{40}")


class HubSource:
    """A dataset of the hub; no code of the dataset's repository is run.

    Args:
        revision: a commit; pin it, so that the same recipe reads the same rows.
        streaming: read rows as they come instead of downloading the whole dataset first.
    """

    def __init__(
        self,
        name: str,
        repo: str,
        *,
        config: str | None = None,
        split: str = "train",
        revision: str | None = None,
        streaming: bool = False,
    ) -> None:
        self._name = name
        self._repo = repo
        self._config = config
        self._split = split
        self._revision = revision
        self._streaming = streaming

    @property
    def name(self) -> str:
        return self._name

    @property
    def origin(self) -> str:
        return f"hub {self._repo}@{self._revision or 'main'} {self._split}"

    @property
    def identity(self) -> str | None:
        """Dataset, configuration and split at a commit; a branch moves, and so do folders of this machine."""
        if not _COMMIT.fullmatch(self._revision or "") or Path(self._repo).exists():
            return None
        return identity_of("hub", self._repo, self._revision, self._config, self._split)

    def rows(self) -> Iterator[SourceRow]:
        """Every row of the split; see the port for the errors."""
        for number, values in enumerate(self._values(), start=1):
            yield SourceRow(f"{self._repo} {self._split} row {number}", dict(values))

    def _values(self) -> Iterator[Any]:
        if _is_read_from_here(self._repo):
            raise DataError(
                "D003",
                f"{self._repo} would be read from the current folder, not from the hub",
                where=f'source "{self._name}"',
                fix="use kind: file for files of your own; for the hub, correct repo or leave this folder",
            )
        try:
            yield from datasets.load_dataset(
                self._repo,
                self._config,
                split=self._split,
                revision=self._revision,
                streaming=self._streaming,
            )
        except StopIteration:
            return  # the library looks for columns in the first row of files that have none
        except (DatasetsError, OSError, ValueError) as cause:
            first_line = (str(cause).splitlines() or [type(cause).__name__])[0]
            missing = isinstance(cause, (DatasetNotFoundError, FileNotFoundError))
            raise DataError(
                "D001" if missing else "D003",
                f"the dataset {self._repo} cannot be loaded: {first_line}",
                where=f'source "{self._name}"',
                fix="check its name, config, split and revision, and that the hub can be reached",
            ) from cause


def _is_read_from_here(repo: str) -> bool:
    """Whether the library takes a name for a folder in the current one, or for the format of files in it.

    An absolute path is never the name of a dataset, so nobody takes it for one.
    """
    path = Path(repo)
    is_format = repo.isidentifier() and find_spec(f"datasets.packaged_modules.{repo}") is not None
    return is_format or (path.is_dir() and not path.is_absolute())
