"""Evaluate a policy on held-out rows: losses by source, graded answers, samples to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from ..domain.chatml import tools_as_text
from ..domain.conversation import Conversation
from ..domain.evaluation import EvaluationSpec, GradedSpec
from ..domain.example import Example
from ..domain.generation import LossTotal, Sampling
from ..domain.held_prompts import prompt_digest
from ..domain.ports.grading import Rewards
from ..domain.ports.model import Policy
from ..domain.ports.run import Observer, Stop
from ..domain.ports.training import PolicyOptimizer
from ..domain.reward import Attempt, InfraErrors, RewardResult
from ..domain.run import Evaluation, GradedSet, RowScore, Sample, SourceLoss, graded_set
from .prepare_source import PreparedSource

_Item = TypeVar("_Item")


class Evaluate:
    """The same rows, prompts and seed each time it is called, so that before and after can be compared.

    Args:
        optimizer: answers are those that it trains, with its tools for example; None: the policy's own.
    """

    def __init__(
        self, rewards: Rewards, observer: Observer, stop: Stop, optimizer: PolicyOptimizer | None = None
    ) -> None:
        self._rewards = rewards
        self._optimizer = optimizer
        self._observer = observer
        self._stop = stop

    def __call__(
        self,
        policy: Policy,
        sources: Sequence[PreparedSource],
        spec: EvaluationSpec,
        when: str,
        errors: InfraErrors,
    ) -> Evaluation:
        """Losses of every source that holds rows out, and the graded sets of the spec.

        Args:
            errors: counts the gradings of the whole run.

        Raises:
            SandboxError: X010 when too many answers could not be judged.
        """
        held = {one.spec.name: one.held_out(spec.rows_of(one.spec.name)) for one in sources if one.held}
        graded = {one.source: one for one in spec.graded if one.source in held}
        answered = {
            name: _asked(rows)[: max(spec.samples, graded[name].rows if name in graded else 0)]
            for name, rows in held.items()
        }
        measured = {name: rows[: spec.rows] for name, rows in held.items()}
        total = sum(map(len, measured.values())) + sum(map(len, answered.values()))
        self._observer.phase(f"evaluating {when}", total)
        learnt = {name: [row for row in rows if row.tokens.trained_tokens] for name, rows in measured.items()}
        losses = {name: self._loss(policy, rows, spec) for name, rows in learnt.items() if rows}
        sets: dict[str, GradedSet] = {}
        samples: list[Sample] = []
        scores: list[RowScore] = []
        for name, examples in answered.items():
            answers = self._answers(policy, examples, spec)
            results = self._results(graded.get(name), answers)
            if name in graded:
                errors.count(results)
                judged = results[: graded[name].rows]
                sets[name] = graded_set(graded[name].reward, judged)
                scores += _scores(name, examples, judged)
            samples += list(_samples(name, examples, answers, results))[: spec.samples]
        return Evaluation(losses, sets, tuple(samples), tuple(scores))

    def _loss(self, policy: Policy, rows: Sequence[Example], spec: EvaluationSpec) -> SourceLoss:
        total = LossTotal()
        for batch in _batches(rows, spec.batch_size):
            self._stop.check()
            total += policy.score([example.tokens for example in batch])
            self._observer.advance(len(batch))
        return SourceLoss(len(rows), total.tokens, total.mean)

    def _answers(self, policy: Policy, examples: Sequence[Example], spec: EvaluationSpec) -> list[Attempt]:
        """Greedy answers, in order; prompts of like length are asked together, to pad little."""
        order = sorted(range(len(examples)), key=lambda index: len(examples[index].tokens))
        answers: dict[int, Attempt] = {}
        for batch in _batches(order, spec.batch_size):
            self._stop.check()
            prompts = [examples[index].conversation.prompt() for index in batch]
            answers.update(zip(batch, self._asked(policy, prompts, spec), strict=True))
            self._observer.advance(len(batch))
        return [answers[index] for index in range(len(examples))]

    def _asked(
        self, policy: Policy, prompts: Sequence[Conversation], spec: EvaluationSpec
    ) -> Sequence[Attempt]:
        """As they are answered; a reward reads what was asked, not what was found for it."""
        sampling = Sampling(spec.max_new_tokens)
        if self._optimizer is not None:
            answers = self._optimizer.answers(policy, prompts, sampling, self._stop)
            return [replace(one, prompt=one.prompt.without_context()) for one in answers]
        completions = policy.generate(prompts, sampling)
        asked = [prompt.without_context() for prompt in prompts]
        return [Attempt(*pair) for pair in zip(asked, (one.text for one in completions), strict=True)]

    def _results(self, graded: GradedSpec | None, answers: Sequence[Attempt]) -> list[RewardResult]:
        """What the reward makes of all answers of a source, asked once: it may judge several at a time."""
        if graded is None:
            return [RewardResult(None)] * len(answers)
        self._stop.check()
        return self._rewards[graded.reward].score(answers)


def _asked(rows: Sequence[Example]) -> list[Example]:
    """The rows that ask something; plain text does not."""
    return [row for row in rows if not row.conversation.is_plain_text]


def _batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _samples(
    source: str,
    examples: Sequence[Example],
    answers: Sequence[Attempt],
    results: Sequence[RewardResult],
) -> Iterator[Sample]:
    for example, given, result in zip(examples, answers, results, strict=True):
        plain = tools_as_text(example.conversation)
        answer = plain.answer()
        yield Sample(
            source,
            _question(plain),
            given.completion,
            answer.content if answer else "",
            result.parts,
            result.score,
        )


def _scores(source: str, examples: Sequence[Example], results: Sequence[RewardResult]) -> Iterator[RowScore]:
    for example, result in zip(examples, results, strict=False):
        digest = prompt_digest(example.conversation.prompt())
        yield RowScore(source, digest, result.score, result.parts)


def _question(conversation: Conversation) -> str:
    """The last turn of the prompt: what was asked."""
    turns = conversation.prompt().without_context().messages
    return turns[-1].content if turns else ""
