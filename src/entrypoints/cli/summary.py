"""What a run says: its mixture, figures before and after, one answer, and what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ...domain.run import RunManifest
from ...domain.schedule import perplexity
from .output import echo_table, printable
from .step_summary import say_rewards


def say_result(manifest: RunManifest, path: Path) -> None:
    """Prints the figures of a run that has just ended, and how to ask it."""
    say_figures(asdict(manifest), path)
    click.echo()
    _say_sample(path)
    click.echo(f"{manifest.steps} steps in {manifest.seconds:.0f} s. Weights: {path / 'lora'}")
    click.echo(f'Ask it:  cesello generate --run {shlex.quote(str(path))} "..."')


def say_figures(manifest: Mapping[str, Any], path: Path) -> None:
    """Prints mixture and figures of a run; what it lacks is left out.

    Args:
        manifest: as it is in its file.
        path: the run's folder, which holds the figures of its steps.
    """
    say_held_out(manifest)
    say_rewards(path)


def say_held_out(manifest: Mapping[str, Any]) -> None:
    """Prints the mixture, and the figures before and after."""
    sources = (manifest.get("data") or {}).get("sources")
    if sources:
        click.echo()
        echo_mixture(sources)
    figures = manifest.get("before") or {}, manifest.get("after") or {}
    # What is rewarded is what such a training is for; the losses tell what it cost.
    first, second = (_grades, _losses) if manifest.get("algorithm") == "grpo" else (_losses, _grades)
    rows = [*first(*figures), *second(*figures)]
    if rows:
        click.echo()
        echo_table(["held-out rows", "before", "after"], rows, right=(1, 2))


def echo_mixture(sources: Sequence[Mapping[str, Any]]) -> None:
    """Prints what the steps draw from every source.

    Args:
        sources: as in a manifest; see ``SourceManifest``.
    """
    total = sum(source.get("drawn_tokens") or 0 for source in sources)
    echo_table(
        ["source", "rows", "drawn", "planned", "realised", "tokens", "of tokens", "passes"],
        [
            (
                source["name"],
                _cell(source.get("kept")),
                _cell(source.get("drawn")),
                _cell(source.get("planned"), ".1%"),
                _cell(source.get("realised"), ".1%"),
                _cell(source.get("drawn_tokens")),
                _cell((source.get("drawn_tokens") or 0) / total if total else None, ".1%"),
                _cell(source.get("passes"), ".2f"),
            )
            for source in sources
        ],
        right=range(1, 8),
    )


def _cell(value: float | None, form: str = "") -> str:
    return "-" if value is None else format(value, form)


def _losses(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Before the training, and after it if it went so far."""
    for name, loss in before.get("losses", {}).items():
        then = after.get("losses", {}).get(name)
        yield f"{name}: loss", f"{loss['loss']:.3f}", f"{then['loss']:.3f}" if then else "-"
        ppl = [f"{perplexity(one['loss']):.2f}" if one else "-" for one in (loss, then)]
        yield f"{name}: perplexity", ppl[0], ppl[1]


def _grades(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, graded in before.get("graded", {}).items():
        then = after.get("graded", {}).get(name)
        for part, value in graded["parts"].items():
            title = f"{name}: {_called(graded, part).replace('_', ' ')} (of {graded['rows']})"
            yield title, f"{value:.4g}", f"{then['parts'].get(part, 0):.4g}" if then else "-"
        yield from _beside_the_parts(name, graded, then or {})


def _called(graded: Mapping[str, Any], part: str) -> str:
    """With the name of its reward, where a recipe has given it one: there may be others of the same kind."""
    from ..settings.reward_settings import BLEND, KINDS

    reward = str(graded["reward"])
    return part if reward in (BLEND, part, *KINDS) else f"{reward}, {part}"


def _beside_the_parts(
    name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """The mean score, and rows without one; figures that older runs lack, and zeros, are left out."""
    for key, title, form in (
        ("score", "mean score", ".3f"),
        ("not_applicable", "reward not applicable", ""),
        ("infra_errors", "could not be judged", ""),
    ):
        values = before.get(key), after.get(key)
        if any(values) or (key == "score" and values != (None, None)):
            yield f"{name}: {title}", _cell(values[0], form), _cell(values[1], form)


def _say_sample(path: Path) -> None:
    """The first sample with a changed answer, before and after."""
    pairs = zip(_samples(path, "before"), _samples(path, "after"), strict=False)
    for before, after in pairs:
        if before["completion"] != after["completion"]:
            click.echo(f"asked   {_line(after['prompt'])}")
            click.echo(f"before  {_line(before['completion'])}")
            click.echo(f"after   {_line(after['completion'])}\n")
            return


def _samples(path: Path, when: str) -> list[Mapping[str, Any]]:
    file = path / f"samples-{when}.jsonl"
    return (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    )


def _line(text: str, width: int = 96) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= width else line[: width - 1] + "…"
