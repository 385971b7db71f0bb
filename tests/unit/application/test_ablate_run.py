"""The same tasks with and without what memory and procedures know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cesello.application.ablate_run import AblateRequest, AblateRun
from cesello.application.ground_rows import GroundRows
from cesello.application.instruct_rows import InstructRows
from cesello.application.retrieve_context import RetrieveContext
from cesello.domain.ablation import Ablation, Arm
from cesello.domain.conversation import Conversation, user
from cesello.domain.errors import DataError, Interrupted
from cesello.domain.ports.model import Policy
from cesello.domain.procedure_prompt import Mode
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.reward import Attempt, Reads, RewardResult
from tests.fakes.model import FACTS, FakePolicy
from tests.fakes.procedure import FakeProcedureStore
from tests.fakes.run import FakeStop, RecordingObserver
from tests.grounded import cake_memory, retrieves
from tests.unit.application.test_instruct_rows import ASKED as CHECKS_ASKED
from tests.unit.application.test_instruct_rows import CHECKS, matcher

TASKS = [
    replace(user(f"how do I bake a cake with cherries, {n}?"), reference={"answer": "cherries"})
    for n in range(4)
] + [replace(user(CHECKS_ASKED), reference={"answer": "make check"})]


class IsSaid:
    """Whether the reference is said; it must not be told what was found."""

    name = "said"
    parts: tuple[str, ...] = ()
    range = (0.0, 1.0)
    reads = frozenset({Reads.COMPLETION, Reads.REFERENCE})

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        assert all(one.prompt.messages in [task.messages for task in TASKS] for one in attempts)
        return [
            RewardResult(float(answer in one.completion)) if (answer := one.prompt.reference["answer"]) else
            RewardResult(None)
            for one in attempts
        ]  # fmt: skip


def reads_aloud(policy: Policy, prompts: Sequence[Conversation], arm: Arm) -> list[Attempt]:
    """An answer is all that stands in the prompt besides the question."""
    return [
        Attempt(prompt, " ".join(turn.content for turn in prompt.messages).replace("with cherries,", ""))
        for prompt in prompts
    ]


def ablated(
    *,
    arms: Sequence[Arm] = tuple(Arm),
    models: Sequence[str] = ("run",),
    stop: FakeStop | None = None,
    tasks: Sequence[Conversation] = TASKS,
    loaded: list[str] | None = None,
    max_tokens: int = 1024,
    retrieve: RetrieveContext | None = None,
) -> Ablation:
    store = FakeProcedureStore()
    store.place(CHECKS)
    names = [] if loaded is None else loaded

    def load(name: str) -> FakePolicy:
        names.append(name)
        return FakePolicy(FACTS)

    ablate = AblateRun(
        load, reads_aloud, IsSaid(), InstructRows(store, matcher(store), Mode.FULL),
        GroundRows(retrieve or retrieves(cake_memory())), RecordingObserver(), stop or FakeStop(),
    )  # fmt: skip
    return ablate(
        AblateRequest(
            "r1", "chat", "said", models, arms, tasks, PromptProgram("Be brief."), max_tokens, {"model": "m"},
            batch=2,
        )
    )  # fmt: skip


def test_every_arm_has_what_it_is_called_by() -> None:
    found = ablated()
    solved = {one.arm: one.solved.mean for one in found.arms}
    assert solved == {Arm.BARE: 0.0, Arm.MEMORY: 0.8, Arm.PROCEDURES: 0.2, Arm.BOTH: 1.0}
    given = {one.arm: (one.grounded, one.guided) for one in found.arms}
    assert given == {Arm.BARE: (0, 0), Arm.MEMORY: (4, 0), Arm.PROCEDURES: (0, 1), Arm.BOTH: (4, 1)}
    read = {one.arm: one.read or 0 for one in found.arms}
    assert read[Arm.BARE] < read[Arm.PROCEDURES] < read[Arm.MEMORY] < read[Arm.BOTH]
    assert found.pins["memory"].startswith("generation 1")
    assert "run-checks" in found.pins["procedures"]
    assert not found.stopped


def test_passages_that_leave_no_room_are_not_given() -> None:
    roomy, tight = ablated(arms=(Arm.BARE, Arm.MEMORY)), ablated(arms=(Arm.BARE, Arm.MEMORY), max_tokens=20)
    assert roomy.arms[1].grounded == 4
    assert tight.arms[1].grounded == 0
    assert tight.arms[1].read == tight.arms[0].read


def test_what_is_kept_tells_which_tasks_were_asked_and_how() -> None:
    found = ablated()
    assert found.settings == {"model": "m"}
    assert len(set(found.tasks)) == len(TASKS)
    assert found.tasks[:2] == ablated(tasks=TASKS[:2], arms=(Arm.BARE,)).tasks
    other = ablated(tasks=[replace(TASKS[0], reference={"answer": "plums"})], arms=(Arm.BARE,))
    assert other.tasks[0] != found.tasks[0]


def test_every_arm_that_reads_searches_by_itself() -> None:
    class Counts(RetrieveContext):
        searched = 0

        def forget(self) -> None:
            assert len(self._found) <= 2  # of no more than one batch
            Counts.searched += len(self._found)
            super().forget()

    made = retrieves(cake_memory())
    counts = Counts(
        made._ask, made._chunks, made._embedder, made._question, made._tokens, made._reranker, made._shown
    )
    ablated(arms=(Arm.BARE, Arm.MEMORY, Arm.BOTH), retrieve=counts)
    # One to load what searches; then both arms for each of five tasks, the last of them not forgotten.
    assert Counts.searched == 1 + 2 * len(TASKS) - 1


def test_base_and_run_are_asked_the_same() -> None:
    loaded: list[str] = []
    found = ablated(models=("run", "base"), arms=(Arm.BARE, Arm.MEMORY), loaded=loaded)
    assert loaded == ["run", "base"]
    assert [(one.model, one.arm) for one in found.arms] == [
        ("run", Arm.BARE), ("run", Arm.MEMORY), ("base", Arm.BARE), ("base", Arm.MEMORY),
    ]  # fmt: skip


def test_stopped_it_keeps_the_tasks_that_every_arm_has_answered() -> None:
    found = ablated(arms=(Arm.BARE, Arm.MEMORY), stop=FakeStop(at_check=4))
    assert found.stopped
    assert found.planned == 5
    assert [one.tasks for one in found.arms] == [2, 2]  # of the second batch only the bare arm was asked
    assert found.arms[0].read == ablated(arms=(Arm.BARE,), tasks=TASKS[:2]).arms[0].read


def test_stopped_before_anything_was_answered_there_is_nothing_to_keep() -> None:
    with pytest.raises(Interrupted):
        ablated(stop=FakeStop(at_check=2))


def test_what_nothing_can_judge_is_told() -> None:
    tasks = [replace(task, reference={"answer": ""}) for task in TASKS]
    with pytest.raises(DataError, match="D076"):
        ablated(tasks=tasks)
