"""How many spans a second are recorded until they are in the file, and what tracing adds to a step of SFT.

    rates     spans with attributes, one within the other, are recorded at a fixed rate for some seconds;
              then the sink is closed. A rate is kept where no span was dropped and closing took less than a
              second: the writer was not behind. At last as fast as one thread can, which drops what it must.
    step      a training of a tiny model, whose steps take milliseconds, and of SmolLM2-135M, one thread. Of
              two steps one is traced. Given are the medians of both, and besides, since what tracing takes is
              less than what steps differ by, the spans of a step times what a span takes of the processor,
              recorded and written, as a share of the step. The noise is what two halves of the steps that are
              not traced differ by.

The machine is shared: seconds of the processor are told beside those of the clock, and the niceness that the
program ran with, since rates by the clock are those of what the others left of it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks.sft_vs_trl import RESULTS, SMOLLM, machine, real_steps
from cesello.domain.genai_names import INPUT_TOKENS, OPERATION, REQUEST_MODEL
from cesello.domain.open_span import inside, put_back, span
from cesello.domain.trace import Value
from cesello.domain.tracer import Tracer
from cesello.entrypoints.trace_wiring import span_sink

RATES = (20_000, 25_000, 30_000, 40_000, 50_000, 60_000)
BEHIND = 1.0
"""Seconds that closing may take."""


def two_spans(number: int) -> None:
    """As in a training: one with attributes as the conventions have them, and one within it."""
    told: dict[str, Value] = {OPERATION: "chat", REQUEST_MODEL: "tiny", INPUT_TOKENS: number, "share": 0.5}
    with span("chat tiny", told), span("score", {"number": number}) as its:
        its.set("label", "passed")


def recorded(rate: int | None, seconds: float) -> dict[str, Any]:
    """Spans at this rate; None: as fast as they can be made."""
    with tempfile.TemporaryDirectory() as folder:
        notes: list[str] = []
        sink = span_sink(Path(folder), notes.append)
        tracer = Tracer(sink, "run")
        began, used = time.perf_counter(), time.process_time()
        with tracer.opened("run"):
            made = 0
            while (now := time.perf_counter() - began) < seconds:
                if rate is not None and made >= rate * now:
                    time.sleep(0.001)
                    continue
                for number in range(20):
                    two_spans(number)
                made += 40
            ended = time.perf_counter()
        closed = time.perf_counter()
        used = time.process_time() - used
        kept = _rows(Path(folder))
    dropped = sink.dropped
    assert kept + dropped == made + 1
    return {
        "asked a second": rate,
        "made a second": round(made / (ended - began)),
        "in the file a second": round(kept / (closed - began)),
        "dropped": dropped,
        "seconds to close": round(closed - ended, 3),
        "processor microseconds a span": round(used / kept * 1e6, 2),
    }


def _rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        return int(connection.execute("SELECT count(*) FROM spans").fetchone()[0])


def cost_of_a_span() -> dict[str, float]:
    """Processor microseconds of the thread that records, with a run and without, and of both threads."""
    spans = 40_000

    def took(clock: Callable[[], float]) -> float:
        began = clock()
        for number in range(spans // 2):
            two_spans(number)
        return (clock() - began) / spans * 1e6

    off = took(time.thread_time)
    with tempfile.TemporaryDirectory() as folder:
        tracer = Tracer(span_sink(Path(folder), click.echo), "run")
        with tracer.opened("run"):
            recording = took(time.thread_time)
        used = time.process_time()
        with tracer.opened("run"):
            took(time.thread_time)
        both = (time.process_time() - used) / spans * 1e6
    return {"off": round(off, 3), "recorded": round(recording, 2), "recorded and written": round(both, 2)}


@contextmanager
def every_second_step(folder: Path) -> Iterator[Callable[[int], None]]:
    """Gives what is told of every step, and traces the one after an even one."""
    tracer = Tracer(span_sink(folder, click.echo), "run")
    root = tracer.span("run")
    root.begin()
    token = inside(None)

    def after(step: int) -> None:
        inside(root if step % 2 == 0 else None)

    try:
        yield after
    finally:
        put_back(token)
        root.end()
        with tracer.opened("end"):
            pass


def step_cost(model: str, steps: list[Any], cost: dict[str, float]) -> dict[str, Any]:
    """Medians of steps that are traced and of others."""
    import torch

    from cesello.adapters.model.hf_provider import HfModelProvider
    from cesello.adapters.model.hub_cache import HubCache
    from cesello.adapters.model.quantizers import NoQuantizer
    from cesello.adapters.training.lightning_sft import LightningSft
    from cesello.domain.model_spec import LoraSpec, ModelSpec
    from cesello.domain.ports.training import TrainingState
    from cesello.domain.schedule import StepReport, TrainingPlan
    from cesello.entrypoints.home import home
    from tests.fakes.run import FakeStop

    torch.set_num_threads(1)
    policy = HfModelProvider(NoQuantizer(), HubCache(home() / "hub")).load(
        ModelSpec(model, dtype="float32"), LoraSpec(target_modules="all-linear"), seed=0
    )
    clocks: dict[bool, list[float]] = {True: [], False: []}
    used: dict[bool, list[float]] = {True: [], False: []}
    last = [time.process_time()]
    with tempfile.TemporaryDirectory() as folder, every_second_step(Path(folder)) as after:

        def heard(report: StepReport, state: TrainingState) -> bool:
            now = time.process_time()
            if report.step > 2:
                traced = report.step % 2 == 1
                clocks[traced].append(report.seconds)
                used[traced].append(now - last[0])
            after(report.step)
            last[0] = time.process_time()
            return True

        LightningSft().optimize(
            policy, steps, TrainingPlan(len(steps), learning_rate=1e-3), on_step=heard, stop=FakeStop()
        )
        spans = (_rows_when_there(Path(folder)) - 1) / max(1, len(steps) // 2)
    plain, traced = median(used[False]), median(used[True])
    halves = [median(used[False][half::2]) for half in (0, 1)]
    return {
        "steps": len(steps),
        "milliseconds by the clock": {"traced": _ms(clocks[True]), "not": _ms(clocks[False])},
        "milliseconds of the processor": {"traced": _ms(used[True]), "not": _ms(used[False])},
        "measured share": round(traced / plain - 1, 5),
        "noise": round(abs(halves[0] / halves[1] - 1), 5),
        "spans a step": round(spans, 2),
        "reckoned share": round(spans * cost["recorded and written"] / 1e6 / plain, 6),
    }


def _rows_when_there(folder: Path) -> int:
    time.sleep(1)
    return _rows(folder) + 1


def _ms(seconds: list[float]) -> float:
    return round(median(seconds) * 1e3, 3)


def tiny_steps(number: int) -> list[Any]:
    """Four short rows a step."""
    from cesello.domain.tokens import token_row

    rows = count()
    return [
        [[token_row([3 + (next(rows) + at) % 200 for at in range(64)], [True] * 64) for _ in range(4)]]
        for _ in range(number)
    ]


def smollm_steps(number: int) -> list[Any]:
    from cesello.domain.tokens import token_row

    return [
        [[token_row(ids, list(map(bool, trained))) for ids, trained in rows]] for rows in real_steps(number)
    ]


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="Of every rate.")
@click.option("--steps", default=600, show_default=True, help="Of the tiny model.")
@click.option("--smollm-steps", "large", default=12, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "tracing.json")
def main(seconds: float, steps: int, large: int, output: Path) -> None:
    """Measures it all and writes the figures."""
    from tests.tiny_model import make_tiny_model

    cost = cost_of_a_span()
    result: dict[str, Any] = {
        "machine": machine(),
        "niceness": os.nice(0),
        "processor microseconds of a span": cost,
        "spans a processor second": round(1e6 / cost["recorded and written"]),
        "rates": [],
    }
    for rate in (*RATES, None):
        found = recorded(rate, seconds)
        result["rates"].append(found)
        click.echo(json.dumps(found))
    steady = [
        one["in the file a second"]
        for one in result["rates"]
        if one["asked a second"] and not one["dropped"] and one["seconds to close"] < BEHIND
    ]
    result["steady spans a second"] = max(steady, default=0)
    with tempfile.TemporaryDirectory() as folder:
        tiny = str(make_tiny_model(Path(folder) / "tiny"))
        result["tiny model"] = step_cost(tiny, tiny_steps(steps), cost)
    if large:
        result[SMOLLM] = step_cost(SMOLLM, smollm_steps(large), cost)
    click.echo(json.dumps(result, indent=1))
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
