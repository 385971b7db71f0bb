"""What runs brought, side by side, where it was measured on the same rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .answer_pairs import AFTER, part_pairs, score_pairs
from .prompt_verdict import compared
from .report_gains import gain_interval, range_of
from .run_differences import RECIPE, Manifest, sources_of, submap
from .run_figures import number

UNMEASURED = "not measured in both"

_CHOOSES_ROWS = ("seed", "data.max_tokens", "data.overlong")
_OF_A_SOURCE_BUT = ("weight", "name")
_IS_ASKED = ("data.system_prompt", "evaluation.max_new_tokens")


@dataclass(frozen=True, slots=True)
class Gain:
    """A figure of a run minus that of the first one.

    Attributes:
        low, high: at 95 %.
        paired: by the answers to the same prompts; otherwise the interval is that of rows of their own, and
            wider than it need be.
        rows: that it rests on.
    """

    mean: float
    low: float
    high: float
    paired: bool
    rows: int


@dataclass(frozen=True, slots=True)
class HeldOutFigure:
    """A held-out figure of all runs.

    Attributes:
        name: loss, score, or a part of a reward, as a share of its rows.
        before, after: one a run; None where it was not measured.
        rows: one a run.
        gains: over the first run, where they can be told; the first of them is None.
        reasons: why a run cannot be compared with the first; empty where it can.
    """

    source: str
    name: str
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]
    rows: tuple[int | None, ...]
    gains: tuple[Gain | None, ...]
    reasons: tuple[str, ...]


Answers = Sequence[Mapping[str, Any]]


def held_out_figures(
    manifests: Sequence[Manifest],
    answers: Sequence[Answers],
    rewards: Iterable[float | None] = (),
    scores: Sequence[Answers] = (),
) -> list[HeldOutFigure]:
    """All held-out figures that any of the runs has.

    Args:
        answers: kept after the training, one sequence a run.
        scores: of all graded rows, likewise: of two runs that have them a gain is told by pairs, and of older
            ones where all graded answers were kept.
        rewards: that were seen besides, of any of the runs: they tell whether scores go below 0.
    """
    figures = []
    of_manifests = (value for one in manifests for value in _scores_of(one))
    of_answers = (
        value
        for its in (*answers, *scores)
        for one in its
        for value in (number(submap(one).get("score")), *_numbers(one, "parts"))
    )
    within = range_of((*rewards, *of_manifests, *of_answers))
    for source, name in _names(manifests):
        ends = [_at(one, source, name) for one in manifests]
        graded = [_graded_rows(one, source) if name != "loss" else None for one in manifests]
        reasons = tuple(
            "" if at == 0 else _reason(manifests[0], one, source, name) for at, one in enumerate(manifests)
        )
        gains = tuple(
            None
            if at == 0 or reasons[at]
            else _gain(
                name,
                (ends[0][1], ends[at][1]),
                (graded[0], graded[at]),
                _paired(
                    name,
                    source,
                    (manifests[0], manifests[at]),
                    [(its[0], its[at]) for its in (scores, answers) if its],
                ),
                within,
            )
            for at in range(len(manifests))
        )
        rows = tuple(_rows(one, source, name) for one in manifests)
        before, after = (tuple(end[which] for end in ends) for which in (0, 1))
        figures.append(HeldOutFigure(source, name, before, after, rows, gains, reasons))
    return [*figures, *_searched(manifests)]


def _searched(manifests: Sequence[Manifest]) -> Iterator[HeldOutFigure]:
    """The test of prompt searches: the first prompt, and the best where it was tested."""
    found = [submap(one, "search") for one in manifests]
    ends = [(number(one.get("before")), number(one.get("after"))) for one in found]
    if all(early is None for early, _ in ends):
        return
    tasks = [submap(one, "identity").get("data") for one in manifests]
    reasons = tuple(
        UNMEASURED if None in (ends[0][0], early)
        else "" if its == tasks[0]
        else "other tasks"
        for (early, _), its in zip(ends, tasks, strict=True)
    )  # fmt: skip
    counts = [number(one.get("test_tasks")) for one in found]
    yield HeldOutFigure(
        "test tasks",
        "score",
        tuple(early for early, _ in ends),
        tuple(late for _, late in ends),
        tuple(None if count is None else int(count) for count in counts),
        tuple(None for _ in found),
        ("", *reasons[1:]),
    )


def _names(manifests: Sequence[Manifest]) -> list[tuple[str, str]]:
    """(source, figure), what is graded first."""
    graded: dict[tuple[str, str], None] = {}
    losses: dict[tuple[str, str], None] = {}
    for manifest in manifests:
        for when in ("before", "after"):
            for source, its in submap(manifest, when, "graded").items():
                graded |= {(source, part): None for part in submap(its, "parts")} | {(source, "score"): None}
            losses |= {(source, "loss"): None for source in submap(manifest, when, "losses")}
    return [*graded, *losses]


def _at(manifest: Manifest, source: str, name: str) -> tuple[float | None, float | None]:
    """Before and after."""
    if name == "loss":
        both = [number(submap(manifest, when, "losses", source).get("loss")) for when in ("before", "after")]
        return both[0], both[1]
    sets = [submap(manifest, when, "graded", source) for when in ("before", "after")]
    if name == "score":
        return number(sets[0].get("score")), number(sets[1].get("score"))
    shares = [_share(one, name) for one in sets]
    return shares[0], shares[1]


def _share(graded: Manifest, part: str) -> float | None:
    total, rows = number(submap(graded, "parts").get(part)), number(graded.get("rows"))
    return None if total is None or not rows else total / rows


def _graded_rows(manifest: Manifest, source: str) -> int | None:
    rows = number(submap(manifest, "after", "graded", source).get("rows"))
    return None if rows is None else int(rows)


def _rows(manifest: Manifest, source: str, name: str) -> int | None:
    kind = "losses" if name == "loss" else "graded"
    for when in ("after", "before"):
        rows = number(submap(manifest, when, kind, source).get("rows"))
        if rows is not None:
            return int(rows)
    return None


def _reason(one: Manifest, other: Manifest, source: str, name: str) -> str:
    """Why the figure cannot be compared; empty where it can."""
    if _rows(one, source, name) is None or _rows(other, source, name) is None:
        return UNMEASURED
    mine, its = _chooses(one, source, name), _chooses(other, source, name)
    changed = sorted(key for key in mine.keys() | its.keys() if mine.get(key) != its.get(key))
    if changed:
        return f"other held-out rows: {', '.join(changed)} differs"
    if _rows(one, source, name) != _rows(other, source, name):
        return "other held-out rows: there are not as many"
    asked = sorted(key for key in _IS_ASKED if _setting(one, key) != _setting(other, key))
    if asked:
        return f"asked otherwise: {', '.join(asked)} differs"
    tokenizers = [submap(each, "identity").get("tokenizer") for each in (one, other)]
    if name == "loss" and tokenizers[0] != tokenizers[1]:
        return "a loss is that of a token, and the tokenizers differ"
    rewards = [submap(each, "after", "graded", source).get("reward") for each in (one, other)]
    if name != "loss" and None not in rewards and rewards[0] != rewards[1]:
        return "graded by other rewards"
    return ""


def _chooses(manifest: Manifest, source: str, name: str) -> dict[str, object]:
    """All that decides which rows of a source are held out; of how many the loss is taken on its own."""
    keys = (*_CHOOSES_ROWS, "evaluation.rows") if name == "loss" else _CHOOSES_ROWS
    found: dict[str, object] = {key: _setting(manifest, key) for key in keys}
    its = sources_of(manifest).get(source, {})
    found |= {"its fingerprint": its.get("fingerprint"), "held_out": its.get("held_out")}
    identity = submap(manifest, "identity")
    at = next(
        (
            key.removesuffix("name")
            for key, value in identity.items()
            if key.startswith(f"{RECIPE}data.sources[")
            and key.endswith("].name")
            and value == json.dumps(source)
        ),
        None,
    )
    if at is not None:
        found |= {
            key.removeprefix(at): value
            for key, value in identity.items()
            if key.startswith(at) and key.removeprefix(at) not in _OF_A_SOURCE_BUT
        }
    return found


def _setting(manifest: Manifest, key: str) -> object:
    return submap(manifest, "identity").get(RECIPE + key)


def _gain(
    name: str,
    after: tuple[float | None, float | None],
    rows: tuple[int | None, int | None],
    paired: Sequence[tuple[float, float]],
    within: tuple[float, float],
) -> Gain | None:
    """Of the second over the first, where it can be told from what was kept."""
    old, new = after
    if old is None or new is None or not rows[0] or not rows[1] or name == "loss":
        return None
    low, high = within
    if len(paired) == rows[0] == rows[1]:
        its = compared("", "", paired, least=low)
        return Gain(its.gain, its.interval.low, its.interval.high, True, len(paired))
    if not (low <= old <= high and low <= new <= high):
        return None  # no score of ours
    interval = gain_interval(new, rows[1], old, rows[0], low, high)
    return Gain(new - old, interval.low, interval.high, False, rows[0])


def _paired(
    name: str, source: str, manifests: tuple[Manifest, Manifest], kept: Sequence[tuple[Answers, Answers]]
) -> Sequence[tuple[float, float]]:
    """By what of both is the first that goes together."""
    first, second = (submap(one, AFTER, "graded", source) for one in manifests)
    found = (
        score_pairs((first, second), source, both) if name == "score" else part_pairs((name,), source, both)
        for both in kept
    )
    return next(filter(None, found), ())


def _scores_of(manifest: Manifest) -> Iterator[float | None]:
    """Every score of a manifest, and the sums of their parts."""
    for when in ("before", "after"):
        for its in submap(manifest, when, "graded").values():
            yield number(submap(its).get("score"))
            yield from _numbers(its, "parts")


def _numbers(one: Any, key: str) -> Iterator[float | None]:
    return map(number, submap(one, key).values())
