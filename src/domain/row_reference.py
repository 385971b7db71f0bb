"""What a grader may know of a row, taken from the row's own columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import DataError
from .source import SourceRow


def reference_of(row: SourceRow, reference: Mapping[str, str], task: str | None = None) -> dict[str, Any]:
    """The facts for a reward. A column that holds nothing in this row gives none: that reward does not apply.

    Args:
        reference: the fact's name -> the row's own column.
        task: what every row of the source is, for a reward that chooses by it.

    Raises:
        DataError: D011 when the row has no such column.
    """
    for key, column in reference.items():
        if column not in row.values:
            raise DataError(
                "D011",
                f'a row has no column "{column}"',
                where=row.place,
                got=f"columns {', '.join(sorted(row.values)) or 'none'}",
                fix=f"correct reference.{key} of the source",
            )
    facts = {key: row.values[column] for key, column in reference.items()}
    known = {key: value for key, value in facts.items() if value is not None}
    return known if task is None else known | {"task": task}
