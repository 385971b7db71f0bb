"""Which prompt of a source takes a place of the order: rather one that is sometimes solved.

A group whose completions all score the same teaches nothing (DAPO, arXiv 2503.14476, leaves such groups out
and draws others); most is learnt where about half of them succeed. The order of the data says of which source
a place is; here it is chosen which of that source's prompts takes it, so that the sources keep their weights
whatever is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import fsum
from random import Random
from typing import Any

from .reinforcement import Curriculum, PromptRow
from .schedule import stream_seed


def success(rewards: Sequence[float | None]) -> float | None:
    """The success rate of a group: the mean of its rewards, those below 0 as 0; None where none applies."""
    known = [max(0.0, reward) for reward in rewards if reward is not None]
    return fsum(known) / len(known) if known else None


class SuccessRates:
    """What is known of the success of each prompt.

    A group moves its prompt's rate half the way to what it came to: the policy changes, and what it did long
    ago says little.
    """

    def __init__(self) -> None:
        self._rates: dict[str, dict[int, float]] = {}

    def count(self, source: str, prompt: int, rate: float) -> None:
        """A group of this prompt came to ``rate``."""
        rates = self._rates.setdefault(source, {})
        rates[prompt] = (rates.get(prompt, rate) + rate) / 2

    def expected(self, source: str, prompt: int) -> float | None:
        """That of the prompt, or of its source's others on average; None where nothing is known."""
        rates = self._rates.get(source, {})
        if prompt in rates:
            return rates[prompt]
        return fsum(rates.values()) / len(rates) if rates else None

    def as_plain(self) -> dict[str, list[list[float]]]:
        """For a checkpoint."""
        return {
            source: [[prompt, rate] for prompt, rate in its.items()] for source, its in self._rates.items()
        }

    def load(self, values: Mapping[str, Sequence[Sequence[float]]]) -> None:
        """From a checkpoint."""
        self._rates = {name: {int(at): rate for at, rate in its} for name, its in values.items()}


class PromptChoice:
    """Chooses the prompts of a rollout, the same in every process and whenever it is run again.

    Args:
        curriculum: None takes each place's own prompt.
        seed: of the training.
    """

    def __init__(self, curriculum: Curriculum | None, seed: int) -> None:
        self._curriculum, self._seed = curriculum, seed
        self._rates = SuccessRates()

    def first(self, prompts: Sequence[PromptRow], number: int) -> list[PromptRow]:
        """What takes the places of these prompts of the order.

        Args:
            number: of the rollout.
        """
        if self._curriculum is None:
            return list(prompts)
        # One that stays for want of a better one is not taken for another place.
        taken = {_key(row) for row in prompts}
        chosen: list[PromptRow] = []
        for place, row in enumerate(prompts):
            others = self._others(row, taken, self._curriculum.candidates - 1, (number, place))
            best = self._nearest([row, *others])
            taken.add(_key(best))
            chosen.append(best)
        return chosen

    def again(
        self,
        places: Mapping[int, PromptRow],
        taken: Sequence[PromptRow],
        most: int,
        turn: Sequence[int],
    ) -> dict[int, PromptRow]:
        """Others of the same sources, where there are any left, for places whose groups taught nothing.

        Args:
            taken: what is not to be asked again in this step.
            most: so many at most, the first places first.
            turn: the rollout, and how often it was tried.
        """
        keys = {_key(row) for row in taken}
        chosen: dict[int, PromptRow] = {}
        candidates = self._curriculum.candidates if self._curriculum else 1
        for place, row in places.items():
            if len(chosen) == most:
                break
            others = list(self._others(row, keys, candidates, (*turn, place)))
            if others:
                chosen[place] = self._nearest(others)
                keys.add(_key(chosen[place]))
        return chosen

    def learn(self, row: PromptRow, rewards: Sequence[float | None]) -> None:
        """Takes note of a group's rewards."""
        rate = success(rewards)
        if self._curriculum is not None and row.pool is not None and rate is not None:
            self._rates.count(row.pool.name, row.index, rate)

    def as_plain(self) -> dict[str, Any]:
        """What it has learnt, for a checkpoint."""
        return {"rates": self._rates.as_plain()} if self._curriculum else {}

    def load(self, values: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self._rates.load(values.get("rates", {}))

    def _others(
        self, row: PromptRow, taken: set[tuple[str, int]], most: int, stream: Sequence[int]
    ) -> Iterator[PromptRow]:
        pool = row.pool
        if pool is None or most < 1:
            return
        random = Random(stream_seed(self._seed, *stream, "prompts"))
        some = random.sample(range(len(pool)), min(len(pool), most + len(taken)))
        free = [index for index in some if (pool.name, index) not in taken]
        yield from map(pool.row, free[:most])

    def _nearest(self, rows: Sequence[PromptRow]) -> PromptRow:
        """To the target; the first of several that are as near. Where nothing is known, it is hoped for."""
        if self._curriculum is None:
            return rows[0]
        target = self._curriculum.target

        def distance(row: PromptRow) -> float:
            expected = self._rates.expected(row.pool.name, row.index) if row.pool else None
            return 0.0 if expected is None else abs(expected - target)

        return min(rows, key=distance)


def _key(row: PromptRow) -> tuple[str, int]:
    return (row.pool.name, row.index) if row.pool else ("", id(row))
