from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.local_rollout import LocalRollout
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.adapters.model.vllm_rollout import VllmRollout
from cesello.domain.errors import Interrupted
from cesello.domain.generation import Sampling
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.rollout import RolloutEngine
from cesello.domain.ports.run import Stop
from tests.fakes.rollout import FakeRolloutEngine
from tests.fakes.run import FakeStop
from tests.rollout_server import rollout_server
from tests.tiny_architectures import make_tiny

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14]]
SEEDS = [[1, 2, 3], [], [1, 4]]
SAMPLED, GREEDY = Sampling(12, temperature=1.0), Sampling(12)

Make = Callable[[Stop | None], RolloutEngine]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Models of architectures that share prompts and that do not."""

    @cache
    def load(architecture: str) -> Any:
        folder = make_tiny(architecture, tmp_path_factory.mktemp("models") / architecture)
        provider = HfModelProvider(NoQuantizer(), HubCache(None))
        return provider.load(ModelSpec(str(folder), dtype="float32"), LoraSpec(r=4), seed=0).model

    return load


@pytest.fixture(params=["fake", "llama", "gemma2", "vllm"])
def make(request: pytest.FixtureRequest, tiny: Callable[[str], Any], tmp_path: Path) -> Iterator[Make]:
    def save(folder: Path) -> None:
        folder.mkdir()
        (folder / "weights").write_text("w1")

    if request.param == "fake":
        yield lambda stop: FakeRolloutEngine(stop=stop)
    elif request.param == "vllm":
        with rollout_server() as server:
            yield lambda stop: VllmRollout(server.url, [0], save=save, folder=tmp_path, stop=stop)
    else:
        # So many tokens end a completion that some end early and some do not.
        yield lambda stop: LocalRollout(tiny(request.param), range(20), stop)


@pytest.fixture
def engine(make: Make) -> RolloutEngine:
    return make(None)


def test_a_group_comes_for_each_prompt(engine: RolloutEngine) -> None:
    drawn = engine.generate(PROMPTS, SEEDS, SAMPLED)
    assert [len(group) for group in drawn] == [3, 0, 2]
    assert engine.generate([], [], SAMPLED) == []


def test_a_completion_ends_at_its_end_or_at_the_limit(engine: RolloutEngine) -> None:
    seeds = [list(range(12)), list(range(12)), []]
    drawn = [one for group in engine.generate(PROMPTS, seeds, SAMPLED) for one in group]
    assert {one.finished for one in drawn} == {True, False}
    for one in drawn:
        assert 0 < len(one) <= 12
        assert one.finished or len(one) == 12
    ends = {one.ids[-1] for one in drawn if one.finished}
    assert not any(ends & set(one.ids[:-1]) for one in drawn)


def test_log_probabilities_are_those_of_each_token(engine: RolloutEngine) -> None:
    for group in engine.generate(PROMPTS, SEEDS, SAMPLED):
        for one in group:
            assert len(one.log_probs) == len(one)
            assert all(math.isfinite(value) and value <= 0 for value in one.log_probs)


def test_the_same_seeds_draw_the_same(engine: RolloutEngine) -> None:
    drawn = engine.generate(PROMPTS, SEEDS, SAMPLED)
    assert engine.generate(PROMPTS, SEEDS, SAMPLED) == drawn
    assert len({one.ids.tobytes() for one in drawn[0]}) == 3


def test_a_completion_depends_on_nothing_beside_it(engine: RolloutEngine) -> None:
    together = engine.generate(PROMPTS, SEEDS, SAMPLED)
    [[alone]] = engine.generate([PROMPTS[2]], [[4]], SAMPLED)
    assert alone.ids == together[2][1].ids
    assert alone.log_probs.tolist() == pytest.approx(together[2][1].log_probs.tolist(), abs=1e-5)
    backwards = engine.generate(PROMPTS[::-1], [its[::-1] for its in SEEDS[::-1]], SAMPLED)
    assert [[one.ids for one in group[::-1]] for group in backwards[::-1]] == [
        [one.ids for one in group] for group in together
    ]


def test_greedy_completions_do_not_depend_on_seeds(engine: RolloutEngine) -> None:
    [[first, second]] = engine.generate(PROMPTS[:1], [[1, 2]], GREEDY)
    assert first.ids == second.ids


def test_a_stop_is_heard_while_completions_are_drawn(make: Make) -> None:
    stop = FakeStop(at_check=1)
    with pytest.raises(Interrupted):
        make(stop).generate(PROMPTS, SEEDS, SAMPLED)
    assert make(None).generate(PROMPTS, SEEDS, SAMPLED)[0]


def test_a_prompt_may_have_a_limit_of_its_own(engine: RolloutEngine) -> None:
    whole = engine.generate(PROMPTS, SEEDS, SAMPLED)
    limits = [2, SAMPLED.max_new_tokens, 1]
    cut = engine.generate(PROMPTS, SEEDS, SAMPLED, limits)
    expected = [[one.first(most) for one in group] for group, most in zip(whole, limits, strict=True)]
    assert [[one.ids for one in group] for group in cut] == [[one.ids for one in group] for group in expected]
