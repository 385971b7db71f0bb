"""Files of a memory are no links: the folder may have come with a repository, and what is written would go
wherever a stranger has said. Of what lies beside its file, SQLite refuses links itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...domain.errors import StoreError


def refuse_links(files: Iterable[Path]) -> None:
    """Before any of them is opened.

    Raises:
        StoreError: S017 for the first link.
    """
    for file in files:
        if file.is_symlink():
            raise StoreError(
                "S017",
                "a memory's files are links, which lead out of its folder",
                where=str(file),
                expected="a file",
                fix="delete the link, or put what it leads to in its place",
            )
