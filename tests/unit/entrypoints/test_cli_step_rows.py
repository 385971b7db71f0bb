"""The steps of a reinforcement: a row on a terminal, a line in a log."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cesello.domain.schedule import StepReport
from cesello.entrypoints.cli.step_rows import heading, reward_figures, row
from cesello.entrypoints.cli.watch import LineObserver, TerminalObserver

FIGURES = {
    "reward": 0.4236,
    "reward_deviation": 0.3,
    "dead_groups": 0.25,
    "cut_off": 0.031,
    "completion_tokens": 23.6,
    "entropy": 1.204,
    "kl": 0.0123,
}
PHASES = {"generate": 3.14, "score": 0.04, "log_probs": 1.0, "update": 123.4}


def report(step: int = 7, **changes: Any) -> StepReport:
    known: dict[str, Any] = {"figures": FIGURES, "phases": PHASES} | changes
    return StepReport(step, 0.1, 1e-3, 1.0, 100, 10, 0.5, **known)


def test_a_row_stands_under_its_heading_and_fits_a_terminal() -> None:
    assert heading() == ("step  reward  dead  cut off tokens entropy     kl generate  score  log p update")
    assert row(report()) == (
        "   7   0.424   25%       3%     24    1.20  0.012    3.1 s  0.0 s  1.0 s  123 s"
    )
    assert len(heading()) == len(row(report())) == 79


def test_what_a_step_does_not_tell_is_a_hyphen() -> None:
    again = row(report(phases={"update": 1.0}, figures={"reward_deviation": 0.0, "dead_groups": 1.0}))
    assert again.split() == ["7", "-", "100%", "-", "-", "-", "-", "-", "-", "-", "1.0", "s"]


def test_a_line_names_its_figures_and_leaves_out_what_is_not_there() -> None:
    assert reward_figures(report()) == (
        "reward 0.424  dead 25%  cut off 3%  tokens 24  entropy 1.20  kl 0.012  generate 3.1 s  score 0.0 s  "
        "log p 1.0 s  update 123 s"
    )
    assert reward_figures(report(phases=PHASES | {"wait": 2.0})).endswith("update 123 s  wait 2.0 s")
    bare = {key: FIGURES[key] for key in ("reward", "reward_deviation")}
    assert reward_figures(report(figures=bare, phases={})) == "reward 0.424"


def test_a_log_has_a_line_for_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    observer = LineObserver()
    observer.phase("training", 9)
    observer.step(report(1))
    observer.step(report(2))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" (")[0] for line in lines] == ["training", "  training 1/9", "  training 2/9"]
    assert all(line.endswith(f") {reward_figures(report())}") for line in lines[1:])


def test_a_terminal_has_a_table_with_one_heading_a_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    observer, text = TerminalObserver(), io.StringIO()
    monkeypatch.setattr(observer._progress.live, "console", Console(file=text, width=80))
    observer.phase("training", 9)
    observer.step(report(1))
    observer.step(report(2))
    observer.phase("training", 9, 2)
    observer.step(report(3))
    observer.close()
    shown = text.getvalue().splitlines()
    table = [line for line in shown if line in {heading(), *(row(report(step)) for step in (1, 2, 3))}]
    assert [line.split()[0] for line in table] == ["step", "1", "2", "step", "3"]
