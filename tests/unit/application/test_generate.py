from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cesello.application.generate import Generate, GenerateRequest
from cesello.domain.conversation import Role
from cesello.domain.errors import Interrupted, ModelError
from cesello.domain.generation import Sampling
from cesello.domain.model_spec import ModelSpec
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.run import RunStatus, RunSummary
from tests.fakes.model import FACTS, FakeModelProvider, FakePolicy
from tests.fakes.run import FakeStop


@pytest.fixture
def run(tmp_path: Path) -> RunSummary:
    (tmp_path / "lora").mkdir()
    FakePolicy(FACTS, trained=3).save(tmp_path / "lora")
    return RunSummary("1-a", "a", RunStatus.COMPLETED, "now", "fake", 3, 3, str(tmp_path))


def answer(request: GenerateRequest, provider: FakeModelProvider | None = None) -> Iterator[str]:
    return Generate(provider or FakeModelProvider(), FakeStop())(request)


def test_the_answer_comes_in_pieces(run: RunSummary) -> None:
    pieces = list(answer(GenerateRequest(run, ModelSpec("fake"), "hello there")))
    assert len(pieces) > 1
    assert "".join(pieces) == "tuned heard hello there"


def test_the_base_model_answers_without_lora(run: RunSummary) -> None:
    assert "".join(answer(GenerateRequest(run, ModelSpec("fake"), "hello", lora=False))) == "base heard hello"


def test_system_prompt_and_sampling_reach_the_model(run: RunSummary) -> None:
    provider = FakeModelProvider()
    sampling = Sampling(max_new_tokens=2)
    request = GenerateRequest(run, ModelSpec("fake"), "hello", PromptProgram("Be brief."), sampling)
    assert "".join(answer(request, provider)) == "tuned heard"
    [(prompt, _)] = provider.loaded[0].asked
    assert [(turn.role, turn.content) for turn in prompt.messages] == [
        (Role.SYSTEM, "Be brief."),
        (Role.USER, "hello"),
    ]


def test_a_run_without_weights_is_refused(tmp_path: Path) -> None:
    run = RunSummary("1-a", "a", RunStatus.FAILED, "now", "fake", 0, 3, str(tmp_path))
    with pytest.raises(ModelError) as caught:
        list(answer(GenerateRequest(run, ModelSpec("fake"), "hello")))
    assert (caught.value.code, caught.value.where, caught.value.got) == (
        "M007",
        str(tmp_path),
        "a run that is failed",
    )


def test_weights_of_another_model_are_refused(run: RunSummary) -> None:
    with pytest.raises(ModelError, match="M004"):
        list(answer(GenerateRequest(run, ModelSpec("other"), "hello")))


def test_a_stop_ends_the_answer_at_the_next_piece(run: RunSummary) -> None:
    pieces = Generate(FakeModelProvider(), FakeStop(at_check=2))(
        GenerateRequest(run, ModelSpec("fake"), "hello")
    )
    assert next(pieces) == "tuned"
    with pytest.raises(Interrupted):
        next(pieces)
