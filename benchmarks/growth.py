"""How time and memory of a step grow with its tokens, from 256 to 8,192: SmolLM2, float32, one thread, LoRA.

Once with documents of about 220 tokens laid end to end, as packing does, and once with a single document of
that length. Figures go to `benchmarks/results/growth-cpu.json` and a plot to `docs/growth.svg`.
"""

from __future__ import annotations

import json
import random
import statistics
from pathlib import Path
from typing import Any

import click

from benchmarks.peers.sft_job import Job
from benchmarks.sft_vs_trl import RESULTS, ROOT, SMOLLM, in_its_own_process, machine

SIZES = (256, 512, 1024, 2048, 4096, 8192)
KINDS = {"documents of 220 tokens": 220, "one document": 10**6}
COLOURS = {"documents of 220 tokens": "#1f77b4", "one document": "#d62728"}
_STEPS = 3


def step_of(tokens: int, document: int) -> list[tuple[list[int], list[int]]]:
    """Documents of that length, the last one shorter; a quarter of each is trained."""
    draw = random.Random(tokens)
    lengths = [min(document, tokens - at) for at in range(0, tokens, document)]
    return [
        (
            [draw.randrange(100, 40_000) for _ in range(length)],
            [int(4 * at >= 3 * length) for at in range(length)],
        )
        for length in lengths
    ]


def measured(tokens: int, document: int) -> dict[str, Any]:
    """The second and third of three steps."""
    job = Job(SMOLLM, [step_of(tokens, document)] * _STEPS, tokens)
    answer = in_its_own_process("cesello", job)
    rate = tokens / statistics.median(answer["processor seconds"])
    return {"tokens": tokens, "tokens per second": round(rate, 1), "peak bytes": answer["peak"]}


def plot(result: dict[str, Any]) -> str:
    """Two panels as SVG: tokens a second, and GiB, over the tokens of a step, which double."""
    panels = [
        ("tokens a second", lambda one: one["tokens per second"]),
        ("GiB at most", lambda one: one["peak bytes"] / 2**30),
    ]
    drawn = [_panel(at, title, value, result["kinds"]) for at, (title, value) in enumerate(panels)]
    legend = [
        f'<text x="{40 + 220 * at}" y="290" fill="{COLOURS[name]}">{name}</text>'
        for at, name in enumerate(KINDS)
    ]
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 300" font-size="12"'
    head += ' style="background:#fff">'
    return "\n".join([head, *drawn, *legend, "</svg>", ""])


def _panel(number: int, title: str, value: Any, kinds: dict[str, list[dict[str, Any]]]) -> str:
    left, width, bottom, height = 40 + 310 * number, 250, 250, 200
    top = 1.1 * max(value(one) for its in kinds.values() for one in its)
    place = {size: left + width * at / (len(SIZES) - 1) for at, size in enumerate(SIZES)}
    parts = [
        f'<text x="{left}" y="30">{title}</text>',
        f'<path d="M{left} {bottom - height}V{bottom}H{left + width}" fill="none" stroke="#888"/>',
    ]
    parts += [
        f'<text x="{x - 12:.0f}" y="{bottom + 16}" fill="#666">{size}</text>' for size, x in place.items()
    ]
    for mark in (0.5, 1.0):
        y = bottom - height * mark
        parts.append(f'<text x="{left - 36}" y="{y + 4:.0f}" fill="#666">{top * mark:.3g}</text>')
    for name, its in kinds.items():
        points = " ".join(
            f"{place[one['tokens']]:.0f},{bottom - height * value(one) / top:.0f}" for one in its
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
    return "\n".join(parts)


@click.command()
@click.option("--most", default=SIZES[-1], show_default=True, help="No step of more tokens.")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "growth-cpu.json")
@click.option("--svg", type=click.Path(path_type=Path), default=ROOT / "docs" / "growth.svg")
def main(most: int, output: Path, svg: Path) -> None:
    """Measures every length and draws the plot."""
    result: dict[str, Any] = {"machine": machine(), "model": SMOLLM, "kinds": {name: [] for name in KINDS}}
    for tokens in (size for size in SIZES if size <= most):
        for name, document in KINDS.items():
            one = measured(tokens, document)
            result["kinds"][name].append(one)
            click.echo(f"{name:24} {one}")
    output.write_text(json.dumps(result, indent=2) + "\n")
    svg.write_text(plot(result))


if __name__ == "__main__":
    main()
