from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cesello.domain.health import CHECKS, Finding, health
from cesello.domain.health_advice import ADVICE
from cesello.domain.health_figures import Level
from cesello.domain.recorded_run import RecordedRun
from tests.recorded_runs import (
    changed,
    completion,
    evaluation,
    figures,
    manifest,
    reinforced,
    run,
    searched,
    source,
    tuned,
)
from tests.repository import ROOT

FALLING = [3 - 0.05 * step for step in range(40)]
FLAT = [1.0 + 0.1 * (step % 3) for step in range(40)]


def at(step: int, value: float, values: list[float]) -> list[float]:
    """The values with another one at a step, from 1."""
    return [*values[: step - 1], value, *values[step:]]


def of(**more: Any) -> RecordedRun:
    return changed(tuned(), **more)


def mixed(**more: Any) -> RecordedRun:
    return of(data={"sources": [source("chat", **more)]})


def held_out(*losses: float) -> RecordedRun:
    lines = [{"step": 10 * at, "when": "step"} | evaluation(None, loss) for at, loss in enumerate(losses)]
    return run(evaluations=lines)


def rewarded(rise: float, held: float, noise: float = 0.01) -> RecordedRun:
    rewards = [0.3 + rise * step / 40 + noise * (step % 2) for step in range(40)]
    one = run("grpo", metrics=figures("reward", rewards))
    return changed(one, before=evaluation(0.3, None), after=evaluation(0.3 + held, None))


def metric(name: str, values: list[float]) -> RecordedRun:
    return run("grpo", metrics=figures(name, values))


def drawn(seconds: float = 1.0, tokens: float = 50.0, resampled: int = 0) -> RecordedRun:
    """A reinforcement of 25 steps with two prompts each; how its last five drew, the others in 1 s 50 tokens.

    Ever less is learnt from, and after each rollout there is a step that draws none.
    """
    steps = range(1, 26)
    last = [step > 20 for step in steps]
    metrics = [
        {"step": step, "completion_tokens": tokens if late else 50.0, "resampled": resampled if late else 0}
        for step, late in zip(steps, last, strict=True)
    ]
    timings: list[dict[str, Any]] = [
        {
            "step": step, "seconds": its, "tokens_per_second": 1000.0 / step, "seconds_generate": 0.9 * its,
            "seconds_score": 0.1 * its,
        }
        for step, its in ((step, seconds if late else 1.0) for step, late in zip(steps, last, strict=True))
    ]  # fmt: skip
    others = [{"step": step, "seconds": 0.1, "seconds_update": 0.1} for step in range(26, 40)]
    asked = [completion(1, prompt, 0, "") for prompt in (0, 1)]
    return run("grpo", metrics=metrics, timings=[*timings, *others], completions=asked)


SOUND_AND_NOT = [
    ("the run is whole", tuned(), replace(tuned(), status="failed")),
    ("the run is whole", of(resumes=[{"step": 3, "differences": []}]),
     of(resumes=[{"step": 3, "differences": ["seed"]}])),
    ("files can be read", tuned(), replace(tuned(), damaged=("metrics.jsonl cannot be read",))),
    ("every step was taken", tuned(), of(skipped=2)),
    ("loss falls", run(metrics=figures("loss", FALLING)), run(metrics=figures("loss", FLAT))),
    ("held-out loss falls", held_out(3.0, 2.0, 1.9), held_out(3.0, 2.0, 2.4)),
    ("held-out loss falls", held_out(3.0, 2.0, 2.01), held_out(3.0, 3.2, 3.4)),
    ("no spikes of the loss", run(metrics=figures("loss", FLAT)),
     run(metrics=figures("loss", at(20, 9.0, FLAT)))),
    ("gradients stay bounded", run(metrics=figures("gradient_norm", FLAT)),
     run(metrics=figures("gradient_norm", at(20, 50.0, FLAT)))),
    ("gradients stay bounded", run(metrics=figures("gradient_norm", FALLING)),
     run(metrics=figures("gradient_norm", [0.1 * 1.1**step for step in range(40)]))),
    ("groups differ", metric("dead_groups", [0.5] * 10), metric("dead_groups", [0.7] * 10)),
    ("answers end", metric("cut_off", [0.9] * 10 + [0.1] * 5), metric("cut_off", [0.1] * 10 + [0.4] * 5)),
    ("answers stay varied", metric("entropy", [2.0] * 10 + [0.5] * 5),
     metric("entropy", [2.0] * 10 + [0.3] * 5)),
    ("answers keep their length", metric("completion_tokens", [10.0] * 10 + [19.0] * 5),
     metric("completion_tokens", [10.0] * 10 + [25.0] * 5)),
    ("the policy stays near", metric("kl", [0.0] * 10 + [0.4] * 5), metric("kl", [0.0] * 10 + [0.6] * 5)),
    ("the reward carries over", rewarded(0.4, 0.3), rewarded(0.4, 0.0)),
    ("the reward carries over", rewarded(0.0, -0.1), rewarded(0.4, -0.1)),
    ("answers can be judged", run(evaluations=[{"step": 0} | evaluation(0.5, None, infra_errors=1)]),
     run(evaluations=[{"step": 0} | evaluation(0.5, None, infra_errors=9)])),
    ("answers can be judged", replace(reinforced(), status="completed"),
     run("grpo", metrics=figures("unscored", [1.0] * 5),
         completions=[completion(step, 0, 0, "") for step in range(1, 11)])),
    ("enough held-out rows", of(before=evaluation(0.5, None, 30)), of(before=evaluation(0.5, None, 29))),
    ("the mixture is as planned", mixed(planned=0.5, realised=0.58), mixed(planned=0.5, realised=0.7)),
    ("rows are used well", mixed(dropped={"over max_samples": 90, "malformed": 2}),
     mixed(dropped={"malformed": 40})),
    ("rows are used well", mixed(truncated=10), mixed(truncated=50)),
    ("rows are used well", mixed(passes=4.0), mixed(passes=4.5)),
    ("the memory sufficed", tuned(), of(splits=1)),
    ("the speed holds", run(timings=figures("tokens_per_second", [100.0] * 20 + [80.0] * 5)),
     run(timings=figures("tokens_per_second", [100.0] * 20 + [60.0] * 5))),
    ("the speed holds", drawn(), drawn(seconds=2.0)),
    ("the speed holds", drawn(seconds=2.0, tokens=100.0), drawn(seconds=2.0, tokens=60.0)),
    ("the speed holds", drawn(seconds=0.8, tokens=20.0), drawn(seconds=1.6, tokens=20.0)),
    ("the speed holds", drawn(seconds=2.0, resampled=2), drawn(seconds=2.0, resampled=0)),
]  # fmt: skip


@pytest.mark.parametrize(("check", "sound", "wrong"), SOUND_AND_NOT)
def test_a_check_finds_what_is_wrong_and_nothing_else(
    check: str, sound: RecordedRun, wrong: RecordedRun
) -> None:
    assert check in health(sound).fine
    [found] = [one for one in health(wrong).findings if one.check == check]
    assert found.says.endswith(".")
    assert check not in health(wrong).fine


def test_of_prompts_asked_in_place_of_others_nothing_is_said_where_it_is_not_known_how_many_there_were() -> (
    None
):
    one = drawn(seconds=2.0, resampled=2)
    unknown = replace(one, logs={**one.logs, "completions": []})
    assert "the speed holds" not in {
        *health(unknown).fine,
        *(found.check for found in health(unknown).findings),
    }


def test_every_check_is_tried_and_gives_advice() -> None:
    assert {check for check, _, _ in SOUND_AND_NOT} == set(CHECKS) == set(ADVICE)


@pytest.mark.parametrize("one", [tuned(), reinforced(), searched()])
def test_nothing_is_found_in_what_went_well(one: RecordedRun) -> None:
    assert health(one).findings == ()


def test_where_there_is_nothing_to_look_at_nothing_is_said() -> None:
    bare = RecordedRun("runs/one", "running", {"algorithm": "sft"})
    assert health(bare).findings == ()
    assert health(bare).fine == ("files can be read",)


def test_what_is_wrong_comes_first_and_says_what_to_do() -> None:
    found = health(replace(of(skipped=1), status="failed")).findings
    assert [one.check for one in found] == ["the run is whole", "every step was taken"]
    assert found[0] == Finding("the run is whole", found[0].level, found[0].says, *ADVICE["the run is whole"])


def test_a_failed_run_says_why() -> None:
    one = replace(changed(tuned(), error="the disk is full"), status="failed")
    assert health(one).findings[0].says == "The run did not end by itself: failed (the disk is full)."


@pytest.mark.parametrize(("status", "level"), [("interrupted", Level.LOOK), ("failed", Level.WRONG)])
def test_what_a_person_has_stopped_is_not_wrong(status: str, level: Level) -> None:
    assert health(replace(tuned(), status=status)).findings[0].level is level


def test_a_search_goes_on_with_its_answers_and_a_training_from_its_checkpoint() -> None:
    search, training = (
        health(replace(one, status="interrupted")).findings[0] for one in (searched(), tuned())
    )
    assert "the answers that it has" in search.fix
    assert "checkpoint" not in search.fix
    assert "the newest checkpoint" in training.fix


def test_a_spike_is_told_with_its_step() -> None:
    [found] = health(run(metrics=figures("loss", at(20, 9.0, FALLING)))).findings
    assert "at step 20," in found.says


def test_the_loss_of_a_reinforcement_says_nothing() -> None:
    one = replace(reinforced(), manifest=manifest("grpo"))
    assert not {"loss falls", "no spikes of the loss", "held-out loss falls"} & set(health(one).fine)


def test_the_page_of_the_documents_names_every_check() -> None:
    section = (ROOT / "docs" / "report.md").read_text().split("## Health\n")[1]
    names = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert names[1:] == list(CHECKS)
