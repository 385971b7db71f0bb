"""A report as plain data, its texts fit to be shown: no secret, nothing that cannot be seen or written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ...domain.report_groups import Answer
from ...domain.run_report import MaskedRow, Report
from ...domain.secret_text import Redact

_DIGITS = 6
"""Significant ones of a figure: more than a picture shows."""


Visible = Callable[[str], str]
"""A text with something to be seen for every character that controls, or that cannot be written."""


def plain(report: Report, redact: Redact, visible: Visible) -> dict[str, Any]:
    """Objects, lists, texts and numbers, by name; what is empty is left out.

    Args:
        redact: takes secrets out of texts.
    """
    return _Plain(redact, visible).of_fields(report)


class _Plain:
    def __init__(self, redact: Redact, visible: Visible) -> None:
        self._redact, self._visible = redact, visible

    def of(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._visible(self._redact(str(value)))
        if isinstance(value, float):
            return float(f"{value:.{_DIGITS}g}")
        if isinstance(value, Answer):
            return self._answer(value)
        if isinstance(value, MaskedRow):
            return self._row(value)
        if is_dataclass(value):
            return self.of_fields(value)
        if isinstance(value, Mapping):
            return {self.of(str(name)): self.of(one) for name, one in value.items()}
        if isinstance(value, tuple | list):
            return [self.of(one) for one in value]
        return value

    def of_fields(self, value: Any) -> dict[str, Any]:
        found = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: self.of(one) for name, one in found.items() if one not in (None, "", (), {})}

    def _answer(self, answer: Answer) -> dict[str, Any]:
        """Without its tokens where a secret is spread over them."""
        made = self.of_fields(answer)
        whole = "".join(answer.pieces)
        if whole and self._redact(whole) == whole:
            made["pieces"] = [self._visible(piece) for piece in answer.pieces]
        else:
            made.pop("pieces", None)
            made.pop("log_probs", None)
        return made

    def _row(self, row: MaskedRow) -> dict[str, Any]:
        """As one piece where a secret is spread over its tokens."""
        made = self.of_fields(row)
        whole = "".join(words for words, _ in row.pieces)
        hidden = self._redact(whole)
        if hidden != whole:
            made.pop("read", None)
        pieces = row.pieces if hidden == whole else ((hidden, False),)
        made["pieces"] = [[self._visible(words), int(trained)] for words, trained in pieces]
        return made
