"""Verifying a run with a fake behind every port: what is looked at, and what is not and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cesello.application.prepare_again import VerifyRunRequest
from cesello.application.verify_run import VerifyRun
from cesello.domain.errors import CeselloError, DataError, UsageError
from cesello.domain.run import RunStatus, RunSummary
from cesello.domain.run_verification import Check, Part, RunVerification
from tests.fakes.run import RecordingObserver
from tests.fakes.verification import FakeRunFiles

RUN = Path("runs/mine")
RECIPE = b"name: mine\n"
PINNED = {
    "recipe training.max_steps": "2",
    "recipe gone.with.a.version": "1",
    "memory retrieve": "generation 1",
    "recipe memory.procedures": '"full: debug 11111111; 01"',
    "library torch": "2.8",
    "data": "d",
}


@dataclass
class FakePrepareAgain:
    """Says that all is well, and remembers what it was told."""

    changed: list[Part] = field(default_factory=list)

    def base(self, request: VerifyRunRequest) -> Check:
        return Check(Part.BASE, "as it was")

    def data(self, request: VerifyRunRequest, changed: list[Part]) -> Check:
        self.changed = list(changed)
        return Check(Part.DATA, "as it was")


def manifest(**changes: Any) -> dict[str, Any]:
    return {
        "algorithm": "sft",
        "steps": 0,
        "recipe_sha256": hashlib.sha256(RECIPE).hexdigest(),
        "weights": {"w": hashlib.sha256(b"w").hexdigest()},
        "identity": PINNED,
        **changes,
    }


def request(run: dict[str, Any] | None = None, **changes: Any) -> VerifyRunRequest:
    summary = RunSummary(
        "mine", "mine", RunStatus.COMPLETED, "now", "tiny", 2, 2, str(RUN), run or manifest()
    )
    data: Any = object()
    return VerifyRunRequest(summary, data, **{"now": PINNED, **changes})


def verified(
    asked: VerifyRunRequest,
    files: dict[str, bytes] | None = None,
    again: Callable[[], Any] = FakePrepareAgain,
) -> RunVerification:
    there = {RUN / "recipe.yaml": RECIPE, RUN / "lora" / "w": b"w"}
    there |= {RUN / name: content for name, content in (files or {}).items()}
    return VerifyRun(FakeRunFiles(there), again, RecordingObserver())(asked)


def check(found: RunVerification, part: Part) -> Check:
    [one] = [one for one in found.checks if one.part is part]
    return one


def test_an_untouched_run_is_whole_and_told_part_by_part() -> None:
    found = verified(request())
    assert found.is_whole
    assert [one.part for one in found.checks] == [
        Part.STATUS, Part.WEIGHTS, Part.RECIPE, Part.CHECKPOINTS, Part.LOGS, Part.FILES, Part.FIGURES,
        Part.MEMORY, Part.PROCEDURES, Part.DATA, Part.BASE,
    ]  # fmt: skip


def test_quick_loads_nothing() -> None:
    def never() -> Any:
        raise AssertionError("the tokenizer was asked for")

    found = verified(request(quick=True), again=never)
    assert check(found, Part.DATA).unchecked == "--quick leaves it out"


def test_what_has_changed_before_the_rows_is_told_to_those_who_prepare_them() -> None:
    again = FakePrepareAgain()
    now = {**PINNED, "memory retrieve": "generation 2", "library torch": "2.9"}
    found = verified(request(now=now), {"lora/more": b""}, lambda: again)
    assert set(again.changed) == {Part.WEIGHTS, Part.MEMORY}
    assert check(found, Part.MEMORY).changes == ("memory retrieve: generation 1 then, generation 2 now",)
    assert check(found, Part.LIBRARIES).said == "not those of then: torch: 2.8 then, 2.9 now"
    assert not check(found, Part.LIBRARIES).changes


def test_the_same_files_remembered_again_are_told_and_no_change() -> None:
    pinned = {**PINNED, "memory generation": "3"}
    run, now = manifest(identity=pinned), {**pinned, "memory generation": "5"}
    found = verified(request(run, now=now))
    assert found.is_whole
    assert check(found, Part.MEMORY).said == "as pinned (generation 3 then, 5 now)"
    other = verified(request(run, now=now | {"memory retrieve": "other files"}))
    assert check(other, Part.MEMORY).changes[1:] == ("generation 3 then, 5 now",)


def test_a_value_that_went_with_a_version_of_cesello_is_no_change() -> None:
    now = {name: value for name, value in PINNED.items() if name != "recipe gone.with.a.version"}
    assert verified(request(now=now | {"recipe a.new.key": "1"})).is_whole


def test_what_cannot_be_told_is_not_called_changed() -> None:
    now = {name: value for name, value in PINNED.items() if name != "memory retrieve"}
    found = verified(request(now=now, unknown={Part.MEMORY: "the store is busy"}))
    assert found.is_whole
    assert check(found, Part.MEMORY).unchecked == "the store is busy"


def test_passages_of_another_cesello_tell_nothing_of_the_memory_or_the_rows() -> None:
    pinned = {**PINNED, "memory retrieve": "2 files; 0123456789abcdef"}
    now, again = pinned | {"memory retrieve": "2 files; form 2; fedcba9876543210"}, FakePrepareAgain()
    found = verified(request(manifest(identity=pinned), now=now), again=lambda: again)
    assert found.is_whole
    told = "passages are chosen and written otherwise than by the cesello that began the run"
    assert check(found, Part.MEMORY).unchecked == told
    assert set(again.changed) == {Part.MEMORY}
    other = verified(request(manifest(identity=pinned), now=now | {"memory retrieve": "3 files; form 2; ab"}))
    assert check(other, Part.MEMORY).changes


def test_a_recipe_that_is_none_any_more_is_told_and_its_rows_are_not_looked_at() -> None:
    wrong: CeselloError = UsageError("C026", "not valid YAML")
    found = verified(replace(request(), data=wrong), {"recipe.yaml": b"["})
    assert check(found, Part.RECIPE).changes == ("recipe.yaml was changed", "it is no recipe: not valid YAML")


def search(**changes: Any) -> dict[str, Any]:
    found = {"winner": "abcd", "verdict": "proven", "gain": 0.5, "p": 0.01, **changes}
    return manifest(algorithm="apo", search=found)


REPORT = json.dumps({"verdict": "proven", "test": {"gain": 0.5, "p": 0.01}}).encode()


def test_a_search_is_known_by_its_prompt_and_its_report() -> None:
    whole = verified(request(search(), prompt="abcd"), {"search.json": REPORT})
    assert whole.is_whole
    assert Part.WEIGHTS not in {one.part for one in whole.checks}
    other = verified(request(search(gain=0.75), prompt="efgh"), {"search.json": REPORT})
    assert check(other, Part.PROMPT).changes == (
        "prompt.yaml holds another prompt",
        "search.json says gain 0.5, the manifest 0.75",
    )
    assert check(verified(request(search(), prompt="abcd")), Part.PROMPT).changes == (
        "search.json is missing, or no report any more",
    )
    assert check(verified(request(search(), prompt=DataError("C131", "no prompt"))), Part.PROMPT).changes == (
        "no prompt",
    )


def test_the_prompt_around_the_rows_is_known_by_its_id() -> None:
    pinned = {**PINNED, "recipe data.prompt": '"prompt.yaml 0123456789abcdef"'}
    run = manifest(identity=pinned)
    assert verified(request(run, prompt="0123456789abcdef")).is_whole
    found = verified(request(run, prompt="fedcba9876543210"))
    assert check(found, Part.PROMPT).changes == ("prompt.yaml holds another prompt",)
