"""What a finished run says: figures before and after, one answer, and what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ...domain.run import Evaluation, RunManifest
from .output import echo_table, printable


def say_result(manifest: RunManifest, path: Path) -> None:
    """Prints the figures of a run."""
    click.echo()
    if manifest.data:
        echo_table(
            ["source", "rows", "drawn", "planned", "realised", "passes"],
            [
                (
                    s.name,
                    s.kept,
                    s.drawn,
                    f"{s.planned:.1%}",
                    f"{s.realised or 0:.1%}",
                    f"{s.passes or 0:.2f}",
                )
                for s in manifest.data.sources
            ],
            right=(1, 2, 3, 4, 5),
        )
        click.echo()
    if manifest.before and manifest.after and manifest.before.losses:
        echo_table(
            ["held-out rows", "before", "after"], figures(manifest.before, manifest.after), right=(1, 2)
        )
        click.echo()
    _say_sample(path)
    click.echo(f"{manifest.steps} steps in {manifest.seconds:.0f} s. Weights: {path / 'lora'}")
    click.echo(f'Ask it:  cesello generate --run {shlex.quote(str(path))} "..."')


def figures(before: Evaluation, after: Evaluation) -> Iterator[tuple[str, str, str]]:
    """A line for every figure taken before and after."""
    for name, loss in before.losses.items():
        then = after.losses[name]
        yield f"{name}: loss", f"{loss.loss:.3f}", f"{then.loss:.3f}"
        yield f"{name}: perplexity", f"{loss.perplexity:.2f}", f"{then.perplexity:.2f}"
    for name, graded in before.graded.items():
        for part in graded.parts:
            title = f"{name}: {part.replace('_', ' ')} (of {graded.rows})"
            yield title, f"{graded.parts[part]:.0f}", f"{after.graded[name].parts.get(part, 0):.0f}"


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
