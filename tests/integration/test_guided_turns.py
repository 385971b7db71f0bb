"""Completions that are led through a procedure: which steps come, and which tokens are trained."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from cesello.adapters.model.hf_policy import HfPolicy
from cesello.adapters.training.guided_turns import Guide
from cesello.adapters.training.tool_turns import ToolTurns, ToolUse, answers_with_tools
from cesello.domain.conversation import GivenProcedure, Role
from cesello.domain.generation import Sampling
from cesello.domain.guided_run import Finished, begin_unattended
from cesello.domain.ports.tools import Toolbox
from cesello.domain.procedure import Expect, Fallback, Input, Kind, OnFail, Outcome, Procedure, Step
from cesello.domain.tool_use import Episode
from tests.fakes.run import FakeStop
from tests.fakes.tools import FakeToolbox
from tests.integration.test_tool_turns import CALL, SUM, Scripted, encoded, loaded
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

ASKS = OnFail(then=Fallback.ASK_USER)
LOOK = Procedure(
    "look-twice", "Looks twice.", "Look.", inputs=(Input("place", "Where.", required=True),),
    steps=(
        Step("look", "Look at {place}.", expect=Expect(Kind.CONTAINS, "seen"), on_fail=OnFail(retry=1)),
        Step("run", "Run it.", expect=Expect(Kind.EXIT_CODE, 0)),
        Step("tell", "Tell what it is.", expect=Expect(Kind.REGEX, "4$"), on_fail=ASKS),
        Step("end", "Say goodbye."),
    ),
)  # fmt: skip
LED = replace(SUM, procedure=GivenProcedure("look-twice", "a" * 64, "guided", "What is 2 + 2?"))
GUIDE = Guide(
    lambda given: begin_unattended(LOOK), lambda pattern, text: re.search(pattern, text) is not None
)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> HfPolicy:
    return loaded(make_tiny_model(tmp_path_factory.mktemp("model") / "tiny"))


def led(
    policy: HfPolicy, says: Callable[[str, int], str], tools: Toolbox | None = None, **given: int
) -> Episode:
    use = ToolUse(tools, given.get("most", 9), None, GUIDE)
    turns = ToolTurns(policy, Scripted(policy, says).generate, use)
    [[episode]] = turns(
        [policy.prompt(turns.offered(LED))], [[1]], Sampling(given.get("tokens", 2000)), [LED]
    )
    return episode


def by_step(last: str) -> Callable[[str, int], str]:
    """An answer for each step, the right one to the first only when it is tried again."""

    def says(prompt: str, seed: int) -> str:
        if "end: Say" in prompt:
            return "Goodbye."
        if "tell: Tell" in prompt:
            return last
        if "run: Run" in prompt:
            return "ran"
        return "seen" if "try 2" in prompt else "what?"

    return says


def test_a_model_is_led_step_by_step_and_learns_its_own_words_alone(policy: HfPolicy) -> None:
    episode = led(policy, by_step("4"))
    said = [turn.content.partition("\n")[0] for turn in episode.turns]
    assert said == [
        "what?",
        "Step 1 of 4, look (try 2: the check has failed): Look at {place}.",
        "seen",
        "Step 2 of 4, run: Run it.",  # nothing can tell its exit code, and nothing is checked
        "ran",
        "Step 3 of 4, tell: Tell what it is.",
        "4",
        "Step 4 of 4, end: Say goodbye.",
        "Goodbye.",
    ]
    assert (episode.answers, episode.completion, episode.finished) == (5, "Goodbye.", True)
    end = policy.ends[0]
    trained = [one for one, counts in zip(episode.ids, episode.trained, strict=True) if counts]
    answers = ["what?", "seen", "ran", "4", "Goodbye."]
    assert trained == [token for text in answers for token in [*encoded(policy, text), end]]
    counted = zip(episode.log_probs, episode.trained, strict=True)
    assert all((value == -1.5) == bool(counts) for value, counts in counted)


def test_what_is_drawn_and_told_are_the_tokens_of_the_whole_conversation(policy: HfPolicy) -> None:
    episode = led(policy, by_step("4"))
    whole = policy.encode(replace(LED, messages=(*LED.messages, *episode.turns)))
    ids = [*episode.prompt, *episode.ids]
    assert list(whole.ids)[: len(ids)] == ids


def test_where_a_person_would_be_asked_it_is_over(policy: HfPolicy) -> None:
    episode = led(policy, by_step("5"))
    assert (episode.answers, episode.completion) == (4, "5")
    assert episode.guided is not None
    assert isinstance(episode.guided.next, Finished)
    assert episode.guided.next.outcome is Outcome.FAILURE


def test_there_are_no_more_answers_than_may_be_and_no_more_tokens(policy: HfPolicy) -> None:
    assert led(policy, by_step("4"), most=2).answers == 2
    cut = led(policy, by_step("4"), tokens=40)
    assert (cut.answers, cut.finished, bytes(cut.trained)) == (1, False, b"\1" * len(cut.ids))


def test_tools_come_before_the_next_step_and_what_they_say_is_checked(policy: HfPolicy) -> None:
    def says(prompt: str, seed: int) -> str:
        if "run: Run" in prompt:
            return "ran"
        return "done" if "<tool_response>" in prompt else CALL

    episode = led(policy, says, FakeToolbox({"add": "seen"}), most=3)
    assert [turn.role for turn in episode.turns] == [
        Role.ASSISTANT, Role.TOOL, Role.ASSISTANT, Role.USER, Role.ASSISTANT,
    ]  # fmt: skip
    assert episode.turns[3].content.startswith("Step 2 of 4, run")


def test_held_out_prompts_are_led_too(policy: HfPolicy) -> None:
    draw = Scripted(policy, by_step("4")).generate
    [one, other] = answers_with_tools(
        policy, [LED, SUM], Sampling(2000), FakeStop(), tools=None, most=9, guide=GUIDE, draw=draw
    )
    assert (one.completion, other.completion) == ("Goodbye.", "what?")
    assert one.prompt == LED
