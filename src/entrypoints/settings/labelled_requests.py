"""A file of requests of which it is known which procedure they are for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ...domain.errors import InvalidRecipe, Place, StorageError, UsageError
from ...domain.procedure_match import Known
from ...domain.request_features import normalised
from ...domain.text_hazards import masked

_LARGEST = 10 << 20


def labelled_requests(file: Path) -> tuple[Known, ...]:
    """JSON lines with ``query`` and ``procedure``: a name, or null where it is for none; other keys are free.

    Secrets in them are masked. One request is for one procedure, or for none.

    Raises:
        InvalidRecipe: C118, all lines that are wrong. StorageError: I003.
    """
    problems: list[UsageError] = []
    found: list[Known] = []
    first: dict[str, tuple[int, str | None]] = {}
    for number, line in _lines(file):
        problem = _read(line, found)
        if not problem:
            known = found[-1]
            before, its = first.setdefault(normalised(known.text).casefold(), (number, known.procedure))
            if its != known.procedure:
                problem = f"{_named(known.procedure)}, where line {before} says {_named(its)} for the same"
        if problem:
            problems.append(_wrong(file, number, problem))
    if not problems and not found:
        problems.append(_wrong(file, 1, "no requests"))
    if problems:
        raise InvalidRecipe(problems)
    return tuple(found)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        if file.stat().st_size > _LARGEST:
            raise InvalidRecipe([_wrong(file, 1, f"more than {_LARGEST >> 20} MiB")])
        content = file.read_bytes()
    except OSError as cause:
        what, fix = "labelled requests cannot be read", "check the path and its permissions"
        raise StorageError("I003", what, where=str(file), got=cause.strerror, fix=fix) from cause
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise InvalidRecipe([_wrong(file, 1, "bytes that are not UTF-8")]) from cause
    yield from ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def _read(line: str, found: list[Known]) -> str:
    """Adds what a line says; what is wrong with it, empty: nothing."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as cause:
        return str(cause)
    query = row.get("query") if isinstance(row, dict) else None
    if not isinstance(query, str) or not query.strip():
        return "no query"
    name = row.get("procedure", False)
    if name is not None and not (isinstance(name, str) and name):
        return "no procedure"
    # As it is kept: what differs in a secret alone is one request.
    found.append(Known(masked(query), name, judged=True))
    return ""


def _named(procedure: str | None) -> str:
    return "null" if procedure is None else f'"{procedure}"'


def _wrong(file: Path, line: int, got: str) -> UsageError:
    return UsageError(
        "C118",
        "labelled requests cannot be read",
        where=Place(str(file), line),
        got=got,
        expected='a line {"query": "...", "procedure": "NAME" or null}',
        fix="correct the line",
    )
