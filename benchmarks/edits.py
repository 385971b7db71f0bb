"""How much of a file is embedded again after an edit: real edits, one version of a file after the other.

A text that was embedded before is not embedded again, so what counts is the chunks of the new version whose
text the old version had not. No chunking can do with fewer than there are chunks with a line that changed;
what lies above that is borders that moved, and parts of a definition whose signature changed.

    for n in {1..10}; do pip download --no-deps --dest build/edits "django==4.2.$n"; done
    for n in {10..35}; do pip download --no-deps --dest build/edits "sqlalchemy==2.0.$n"; done
    python benchmarks/edits.py [edits]

Two sources, as far as they are there: the Python files that a commit of this repository changed, newest
first, which are large edits of small files; and those that one patch release of a package changed after the
other, which are repairs. A share is told by the size of the edit, too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any
from zipfile import ZipFile

from packaging.version import Version

from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
from cesello.domain.chunk_text import embedding_text
from cesello.domain.document import SourceFile
from cesello.domain.remembered import key_of

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "edits.json"
EDITS = 500
MAXIMUM = 900
WHEELS = ROOT / "build" / "edits"
SIZES = (1, 5, 20, 100)
"""Lines of an edit, the most of each group."""


Change = tuple[str, bytes, bytes]
"""Path, old content and new content of a file."""

_YEAR = re.compile(rb"\b20\d\d\b")


@dataclass(frozen=True)
class Edit:
    """Two versions of a file.

    Attributes:
        lines: that are other in the new one, or were taken out.
        chunks: of the new version; ``embedded`` those with a new text, ``touched`` those with a line of it.
    """

    lines: int
    chunks: int
    embedded: int
    touched: int


def commits() -> Iterator[Change]:
    """Of this repository, newest first."""

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout

    for line in git("log", "--no-merges", "--format=%H %P").decode().splitlines():
        commit, *parents = line.split()
        if len(parents) != 1:
            continue
        names = git("diff", "--name-only", "-z", "--diff-filter=M", parents[0], commit, "--", "*.py")
        for name in filter(None, names.decode().split("\0")):
            yield name, git("show", f"{parents[0]}:{name}"), git("show", f"{commit}:{name}")


def releases() -> Iterator[Change]:
    """Of the wheels in ``WHEELS``, by package, in the order of their versions."""

    def place(wheel: Path) -> tuple[str, Version]:
        package, version, *_ = wheel.name.lower().split("-")
        return package, Version(version)

    wheels = sorted(WHEELS.glob("*.whl"), key=place)
    before: dict[str, bytes] = {}
    for wheel in wheels:
        with ZipFile(wheel) as packed:
            now = {name: packed.read(name) for name in packed.namelist() if name.endswith(".py")}
        for name, content in now.items():
            # Another package has other names; and a year in a copyright notice is no edit.
            if _YEAR.sub(b"", before.get(name, content)) != _YEAR.sub(b"", content):
                yield name, before[name], content
        before = now


def measured(path: str, old: bytes, new: bytes, chunker: TreeSitterChunker) -> Edit:
    """What an edit comes to."""
    before = {key_of(embedding_text(chunk)) for chunk in chunker.chunk(SourceFile(path, old))}
    chunks = chunker.chunk(SourceFile(path, new))
    changed: set[int] = set()  # lines of the new version, counted from 1
    lines = 0
    texts = (old.decode().split("\n"), new.decode().split("\n"))
    for tag, first, last, start, end in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if tag != "equal":
            lines += max(last - first, end - start)
            changed.update(range(start + 1, max(end, start + 1) + 1))
    return Edit(
        lines,
        len(chunks),
        sum(key_of(embedding_text(chunk)) not in before for chunk in chunks),
        sum(not changed.isdisjoint(range(chunk.start_line, chunk.end_line + 1)) for chunk in chunks),
    )


def summary(edits: Sequence[Edit]) -> dict[str, Any]:
    """Shares of the chunks, in per cent: of all edits together, and of the edit in the middle."""
    chunks = sum(edit.chunks for edit in edits)
    figures: dict[str, Any] = {"edits": len(edits), "lines, median": median(edit.lines for edit in edits)}
    for name in ("embedded", "touched"):
        counts = [getattr(edit, name) for edit in edits]
        each = [count / edit.chunks for count, edit in zip(counts, edits, strict=True)]
        figures[name] = {"all": round(100 * sum(counts) / chunks, 2), "median": round(100 * median(each), 2)}
        figures[name]["mean chunks"] = round(sum(counts) / len(edits), 2)
    figures["chunks, mean"] = round(chunks / len(edits), 1)
    return figures


def main() -> None:
    """Both sources."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EDITS
    result: dict[str, Any] = {"maximum in characters": MAXIMUM}
    for name, changes in {"commits": commits(), "patch releases": releases()}.items():
        result[name] = by_size(name, list(islice(changes, count)))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


def by_size(title: str, changes: Sequence[Change]) -> dict[str, Any]:
    """Figures of all edits, and of those of each size."""
    chunker = TreeSitterChunker(MAXIMUM)
    edits = [measured(*change, chunker) for change in changes if change[1].strip() and change[2].strip()]
    groups = {"all": edits}
    for least, most in zip((0, *SIZES), (*SIZES, sys.maxsize), strict=True):
        name = f"{least + 1} to {most} lines" if most < sys.maxsize else f"more than {least} lines"
        groups[name] = [edit for edit in edits if least < edit.lines <= most]
    table = {name: summary(group) for name, group in groups.items() if group}
    for name, row in table.items():
        print(f"{title}, {name:<20}", json.dumps(row))
    return table


if __name__ == "__main__":
    main()
