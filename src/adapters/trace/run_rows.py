"""What a line of a run's log is in the tables. Who wrote it is not believed: types are looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ...domain.prompt_search import UNJUDGED
from ...domain.reward import Verdict
from ...domain.run import RunStatus
from ...domain.secret_text import Redact

Row = tuple[Any, ...]
Rows = Mapping[str, Sequence[Row]]
"""By what is inserted, mostly the name of a table."""

ROLLOUT_TABLES = ("rollouts", "attempts", "rewards")


@dataclass(frozen=True, slots=True)
class RunLines:
    """Reads the lines of one run.

    Args:
        places: by step and prompt, how many answers were read before; counted on.
    """

    run: str
    redact: Redact
    places: dict[tuple[int, int], int]

    def metrics(self, line: Mapping[str, Any]) -> Rows:
        """Every figure in it."""
        return {"metrics": self._figures(line)}

    def timings(self, line: Mapping[str, Any]) -> Rows:
        """Likewise; they are in the same table."""
        return {"timings": self._figures(line)}

    def _figures(self, line: Mapping[str, Any]) -> list[Row]:
        step = integer(line["step"])
        return [
            (self.run, step, plain(name), figure(value)) for name, value in line.items() if name != "step"
        ]

    def evaluations(self, line: Mapping[str, Any]) -> Rows:
        """Losses by source and graded answers by set; of a reward's parts the mean."""
        begin = (self.run, integer(line["step"]), plain(line["when"]))
        rows: list[Row] = []
        for source, loss in line["losses"].items():
            rows += [(*begin, plain(source), plain(name), figure(value)) for name, value in loss.items()]
        for source, graded in line["graded"].items():
            rows += [(*begin, plain(source), *one) for one in _graded(graded)]
        return {"evaluations": rows}

    def alarms(self, line: Mapping[str, Any]) -> Rows:
        return {
            "alarms": [
                (self.run, integer(line["step"]), plain(line["name"]), self.redact(plain(line["text"])))
            ]
        }

    def completions(self, line: Mapping[str, Any]) -> Rows:
        """An answer that a policy was trained on: a rollout of one attempt."""
        step, prompt = integer(line["step"]), integer(line["prompt"])
        place = self.places.get((step, prompt), 0)
        key = f"{self.run}/{step}/{prompt}/{place}"
        verdict = _optional(line.get("verdict"))
        status = "replaced" if line.get("replaced") else outcome(verdict)
        given = line.get("procedure") or {}
        reasons = [plain(reason) for reason in line.get("reasons") or ()]
        rows: Rows = {
            "rollouts": [
                (
                    key, self.run, "run", step, prompt, place, self.redact(plain(line["question"])), None,
                    _optional(given.get("name")), status,
                )
            ],
            "attempts": [
                (
                    key, 1, None, status, None, None, self.redact(plain(line["completion"])),
                    integer(line["tokens"]), int(bool(line["finished"])), figure(line["reward"]),
                    figure(line.get("advantage")), figure(line.get("kl")), verdict, None,
                )
            ],
            "rewards": [
                (key, 1, plain(name), figure(value), None, _of_part(name, reasons))
                for name, value in line["parts"].items()
            ],
        }  # fmt: skip
        self.places[step, prompt] = place + 1
        return rows

    def readers(self) -> Mapping[str, Callable[[Mapping[str, Any]], Rows]]:
        """By the name of the log."""
        return {
            "metrics.jsonl": self.metrics,
            "timings.jsonl": self.timings,
            "evaluations.jsonl": self.evaluations,
            "alarms.jsonl": self.alarms,
            "completions.jsonl": self.completions,
        }


def read_rows(
    lines: Iterable[bytes], read: Callable[[Mapping[str, Any]], Rows]
) -> tuple[dict[str, list[Row]], int]:
    """All rows by table, and how many lines were damaged."""
    rows: dict[str, list[Row]] = {}
    damaged = 0
    for line in lines:
        try:
            found = read(json.loads(line))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            damaged += 1
            continue
        for table, new in found.items():
            rows.setdefault(table, []).extend(new)
    return rows, damaged


def plain(value: Any) -> str:
    """A text that SQLite can keep: half a pair of surrogates becomes a question mark.

    Raises:
        TypeError: when it is no text.
    """
    if not isinstance(value, str):
        raise TypeError("no text")
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def integer(value: Any) -> int:
    """One that SQLite can keep.

    Raises:
        TypeError. ValueError: when it is none.
    """
    if type(value) is not int:
        raise TypeError("no whole number")
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError("too large a number")
    return value


def figure(value: Any) -> float | None:
    """None where there is none, or none that is finite.

    Raises:
        TypeError: when it is something else.
    """
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise TypeError("no figure")
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def outcome(verdict: str | None) -> str:
    """As runs have it; an answer that nobody could judge has failed."""
    unjudged = verdict in (Verdict.INFRA_ERROR, UNJUDGED)
    return RunStatus.FAILED.value if unjudged else RunStatus.COMPLETED.value


def _optional(value: Any) -> str | None:
    return None if value is None else plain(value)


def _of_part(name: str, reasons: Sequence[str]) -> str | None:
    """The reasons that a part of the reward gave: each begins with its name."""
    return ", ".join(one.removeprefix(f"{name}:") for one in reasons if one.startswith(f"{name}:")) or None


def _graded(graded: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    rows = integer(graded["rows"])
    yield "score", figure(graded.get("score"))
    yield "graded", float(rows)
    for name in ("not_applicable", "infra_errors"):
        yield name, figure(graded.get(name))
    for name, total in graded["parts"].items():
        value = figure(total)
        yield f"reward/{plain(name)}", None if value is None or not rows else value / rows
