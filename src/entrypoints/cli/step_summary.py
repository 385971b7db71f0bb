"""What became of a run's rewards: the mean of its first steps and of its last, and the alarms it raised."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from .output import echo_table, printable

_STEPS = 5
"""So many are averaged, or half of those there are."""

_FIGURES = {
    "dead_groups": ("dead groups", ".0%"),
    "cut_off": ("cut off", ".0%"),
    "completion_tokens": ("tokens of a completion", ".1f"),
    "entropy": ("entropy of a token", ".3f"),
    "kl": ("kl to the reference", ".4f"),
}


def say_rewards(path: Path) -> None:
    """Prints them where completions were rewarded, and nothing elsewhere."""
    steps = [step for step in _lines(path / "metrics.jsonl") if "reward_deviation" in step]
    if not steps:
        return
    count = max(min(_STEPS, len(steps) // 2), 1)
    title = f"steps, {count} averaged" if count > 1 else "steps"
    click.echo()
    echo_table([title, "first", "last"], list(_rows(steps[:count], steps[-count:])), right=(1, 2))
    alarms = _lines(path / "alarms.jsonl")
    if alarms:
        click.echo()
    for alarm in alarms:
        click.echo(printable(f"step {alarm['step']}: {alarm['text']}"))


def _rows(
    first: Sequence[Mapping[str, Any]], last: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    parts = [key for key in first[0] if key.startswith("reward/")]
    named = {key: (f"reward: {_words(key)}", ".3f") for key in parts}
    # The only part of a reward says the same again.
    forms = {"reward": ("reward", ".3f"), **(named if len(named) > 1 else {}), **_FIGURES}
    for key, (title, form) in forms.items():
        before, after = _mean(first, key), _mean(last, key)
        if (before, after) != (None, None):
            yield title, _cell(before, form), _cell(after, form)


def _words(key: str) -> str:
    return key.removeprefix("reward/").replace("_", " ")


def _mean(steps: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [step[key] for step in steps if step.get(key) is not None]
    return sum(values) / len(values) if values else None


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _lines(path: Path) -> list[dict[str, Any]]:
    """Of a log; a line that was not written whole is left out, as after a power cut."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [line for line in found if isinstance(line, dict)]
