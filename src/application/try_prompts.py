"""Ask tasks under prompts, judge the answers, and write them down before anything is made of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from ..domain.conversation import Conversation
from ..domain.genai_names import OUTPUT_TOKENS
from ..domain.genai_spans import chat, tell_rewards
from ..domain.generation import Completion, Sampling
from ..domain.open_span import span
from ..domain.ports.prompt import EvaluationLedger
from ..domain.ports.reward import RewardModel
from ..domain.ports.run import Observer, Stop
from ..domain.ports.text import TextGenerator
from ..domain.prompt_program import PromptProgram
from ..domain.prompt_report import Spent
from ..domain.prompt_search import FAILED, UNJUDGED, Budget, Task, Trial, TrialKey
from ..domain.reward import Attempt, InfraErrors, RewardResult, Verdict

Asked = tuple[PromptProgram, Task]
"""A task, and what is put around it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What answers and judges, and where that is kept."""

    generator: TextGenerator
    reward: RewardModel
    ledger: EvaluationLedger


class TryPrompts:
    """Remembers what it has asked; the ledger remembers across processes.

    A trial counts against the budget when it is first used, whether the ledger knows it or not. So a search
    that goes on with a ledger counts as the one that was killed, comes to the same decisions, and both
    together ask no more than one may.

    Args:
        replicates: answers to a task; the seed of the k-th is that of ``sampling`` plus k.
        batch: prompts that the generator is asked at a time; they are written down together.
        seconds: a clock.
    """

    def __init__(
        self,
        engine: Engine,
        budget: Budget,
        sampling: Sampling,
        observer: Observer,
        stop: Stop,
        *,
        replicates: int = 1,
        batch: int = 8,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._engine = engine
        self._budget = budget
        self._sampling = sampling
        self._observer = observer
        self._stop = stop
        self._replicates = replicates
        self._batch = batch
        self._seconds = seconds
        self._errors = InfraErrors()
        self._trials: dict[TrialKey, Trial] = {}
        self._by_program: dict[str, dict[str, list[Trial]]] = {}
        self._tokens = 0
        self._spent: dict[str, Spent] = {}

    def __call__(self, asked: Sequence[Asked], phase: str) -> None:
        """Makes sure that there is a trial of each of these.

        Raises:
            ValueError: these cost more than is ``left``: it is the caller's to ask for less.
            SandboxError: X010 when too many answers could not be judged. Interrupted: a stop was requested.
            What
                the generator and the ledger raise. Nothing that was written down before is lost.
        """
        new = self._new(asked)
        if len(new) > self.left:
            raise ValueError(f"{len(new)} rollouts are more than the {self.left} that are left")
        known = self._graded_again(self._engine.ledger.trials(list(new)), new)
        self._used(known, [_result(trial) for trial in known], phase, saved=True)
        for batch in self._batches({key: one for key, one in new.items() if key not in self._trials}):
            self._stop.check()
            trials, results = self._answered(batch)
            self._engine.ledger.add_trials(trials)
            self._used(trials, results, phase)
        self._go_on_without([trial for key in new if (trial := self._trials[key]).verdict == FAILED])

    def _graded_again(
        self, known: Mapping[TrialKey, Trial], asked: Mapping[TrialKey, Asked]
    ) -> Sequence[Trial]:
        """Known trials; of those whose grader failed before anything was made of them, the answer is kept."""
        found = dict(known)
        failed = [trial for trial in known.values() if trial.verdict == FAILED]
        if failed:
            attempts = [Attempt(asked[one.key][1].conversation, one.completion) for one in failed]
            results = self._engine.reward.score(attempts)
            again = [_judged(one, result) for one, result in zip(failed, results, strict=True)]
            self._engine.ledger.add_trials(again)
            found |= {trial.key: trial for trial in again}
        return list(found.values())

    def _used(
        self, trials: Sequence[Trial], results: Sequence[RewardResult], phase: str, *, saved: bool = False
    ) -> None:
        """Counts trials that are written down, which an error about their grader leaves as they are."""
        for trial in trials:
            self._use(trial, phase, saved=saved)
        self._observer.advance(len(trials))
        self._errors.count(results)

    def _go_on_without(self, failed: Sequence[Trial]) -> None:
        """Decisions are made without these from now on, and must be made so again."""
        if failed:
            settled = [replace(trial, verdict=UNJUDGED) for trial in failed]
            self._engine.ledger.add_trials(settled)
            for trial in settled:
                self._trials[trial.key] = trial

    @property
    def left(self) -> int:
        """Rollouts that may still be asked, were each as long as an answer may be."""
        rollouts = self._budget.rollouts - len(self._trials)
        if self._budget.tokens is None:
            return rollouts
        return min(rollouts, (self._budget.tokens - self._tokens) // self._sampling.max_new_tokens)

    @property
    def spent(self) -> Sequence[Spent]:
        """By phase."""
        return tuple(self._spent.values())

    def cost(self, asked: Sequence[Asked]) -> int:
        """Rollouts that asking these takes, of those that count."""
        return len(self._new(asked))

    def scores(self, program: str) -> dict[str, float]:
        """The mean score by task of every task that was asked and could be judged."""
        return {
            task: fmean(scores)
            for task, trials in self._by_program.get(program, {}).items()
            if (scores := [one.score for one in trials if one.score is not None])
        }

    def trials(self, program: str) -> dict[str, Trial]:
        """By task, the first replicate."""
        return {task: trials[0] for task, trials in self._by_program.get(program, {}).items()}

    def _new(self, asked: Sequence[Asked]) -> dict[TrialKey, Asked]:
        """What was not asked before, all first answers first."""
        keys = {
            TrialKey(program.id, task.id, replicate): (program, task)
            for replicate in range(self._replicates)
            for program, task in asked
        }
        return {key: one for key, one in keys.items() if key not in self._trials}

    def _batches(self, new: dict[TrialKey, Asked]) -> Iterator[list[tuple[TrialKey, Asked]]]:
        for replicate in range(self._replicates):
            keys = [(key, one) for key, one in new.items() if key.replicate == replicate]
            yield from (keys[at : at + self._batch] for at in range(0, len(keys), self._batch))

    def _answered(
        self, batch: Sequence[tuple[TrialKey, Asked]]
    ) -> tuple[Sequence[Trial], Sequence[RewardResult]]:
        """The grader is shown the task as it is: nothing that a prompt says can speak to it."""
        replicate = batch[0][0].replicate
        prompts = [program.around(task.conversation) for _, (program, task) in batch]
        start = self._seconds()
        sampling = replace(self._sampling, seed=self._sampling.seed + replicate)
        with chat(sampling, len(prompts)) as its:
            answers = self._engine.generator.generate(prompts, sampling)
            its.set(OUTPUT_TOKENS, sum(answer.tokens for answer in answers))
        attempts = [
            Attempt(task.conversation, answer.text)
            for (_, (_, task)), answer in zip(batch, answers, strict=True)
        ]
        with span("score") as its:
            results = self._engine.reward.score(attempts)
            tell_rewards(its, results)
        share = (self._seconds() - start) / len(batch)
        trials = [
            _judged(self._unjudged(key, prompt, answer, share), result)
            for (key, _), prompt, answer, result in zip(batch, prompts, answers, results, strict=True)
        ]
        return trials, results

    def _unjudged(self, key: TrialKey, prompt: Conversation, answer: Completion, seconds: float) -> Trial:
        """A server may count what it put around an answer: more than was allowed is not paid from the budget,
        which reckons with the longest answers.
        """
        tokens = min(answer.tokens, self._sampling.max_new_tokens)
        characters = sum(len(turn.content) for turn in prompt.messages)
        return Trial(
            key, None, completion=answer.text, tokens=tokens, prompt_characters=characters, seconds=seconds
        )

    def _use(self, trial: Trial, phase: str, *, saved: bool = False) -> None:
        self._trials[trial.key] = trial
        self._by_program.setdefault(trial.key.candidate, {}).setdefault(trial.key.task, []).append(trial)
        self._tokens += trial.tokens
        before = self._spent.get(phase, Spent(phase))
        self._spent[phase] = replace(
            before,
            rollouts=before.rollouts + 1,
            tokens=before.tokens + trial.tokens,
            seconds=before.seconds + (0.0 if saved else trial.seconds),
            saved=before.saved + saved,
        )


def _judged(trial: Trial, result: RewardResult) -> Trial:
    verdict = result.verdict.value if result.verdict else ""
    return replace(trial, score=result.score, reasons=tuple(result.reasons), verdict=verdict)


def _result(trial: Trial) -> RewardResult:
    """What is counted of it."""
    failed = trial.verdict in (FAILED, UNJUDGED)
    return RewardResult(trial.score, reasons=trial.reasons, verdict=Verdict.INFRA_ERROR if failed else None)
