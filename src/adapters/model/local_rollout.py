"""Completions drawn by the model that is trained, in its own process.

Each prompt is read once for all its completions. Completions of all prompts that fit into the memory are
written together, a token a step, and those that have ended leave.

What is promised: the same call, with the same weights and budget, on the same machine and number of threads
gives the same completions, to the bit. In another batch the same numbers are added in another order: logits
differ by about 1e-5, and about one token in 100,000 is another one (see ``token_choice``).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...domain.generation import Sampling
from ...domain.ports.run import Stop
from ...domain.rollout import Rollout
from .decoding import (
    Decoding,
    RepeatedDecoding,
    SharedDecoding,
    bytes_of_token,
    read_prompt,
    shares_prompts,
)
from .evaluating import evaluating
from .packed_linears import PackedLinears
from .rollout_batches import Room, Share, batches
from .shared_cache import Part
from .token_choice import Times, choose, times

_BYTES_OF_A_CHOICE = 24
"""For each token of the vocabulary and row: logits, probabilities, times and what they make together."""


class LocalRollout:
    """Draws from a causal language model of transformers, with the LoRA weights it has at the moment.

    Args:
        ends: tokens that end a completion.
        stop: is asked at every token.
        cache_bytes: what the completions of a batch may take, their prompts included.
        copy_bytes: what copies of frozen weights for a CPU may take; see ``PackedLinears``.
    """

    def __init__(
        self,
        model: Any,
        ends: Sequence[int],
        stop: Stop | None = None,
        *,
        cache_bytes: int = 2 * 2**30,
        copy_bytes: int = 2**30,
    ) -> None:
        self._model = model
        self._ends = frozenset(ends)
        self._stop = stop
        self._cache_bytes = cache_bytes
        self._linears = PackedLinears(model, copy_bytes)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        limits: Sequence[int] | None = None,
    ) -> list[list[Rollout]]:
        """See the port."""
        room = limits or [sampling.max_new_tokens] * len(prompts)
        drawn: list[list[Rollout]] = [[] for _ in prompts]
        longest = max((len(prompt) + most for prompt, most in zip(prompts, room, strict=True)), default=0)
        with evaluating(self._model), self._linears.standing_in():
            shared = shares_prompts(self._model, longest)
            for batch in self._batches(prompts, seeds, sampling.max_new_tokens, shared):
                chosen = [(share.prompt, at) for share in batch for at in share.rows]
                rows = [
                    _Row(times(seeds[prompt][at], self._model.device), room[prompt]) for prompt, at in chosen
                ]
                self._draw(self._begun(prompts, batch, shared), rows, sampling)
                for (prompt, _), row in zip(chosen, rows, strict=True):
                    drawn[prompt].append(row.rollout())
        return drawn

    def _batches(
        self, prompts: Sequence[Sequence[int]], seeds: Sequence[Sequence[int]], new: int, shared: bool
    ) -> Iterator[list[Share]]:
        vocabulary = int(self._model.config.get_text_config().vocab_size)
        row = _BYTES_OF_A_CHOICE * vocabulary
        room = Room(self._cache_bytes, bytes_of_token(self._model), row, shared)
        return batches(list(map(len, prompts)), list(map(len, seeds)), new, room)

    def _begun(self, prompts: Sequence[Sequence[int]], batch: Sequence[Share], shared: bool) -> Decoding:
        self._check()
        if not shared:
            [share] = batch
            return RepeatedDecoding(self._model, prompts[share.prompt], len(share.rows))
        parts = []
        for share in batch:
            self._check()
            parts.append(Part(read_prompt(self._model, prompts[share.prompt]), len(share.rows)))
        return SharedDecoding(self._model, parts)

    def _draw(self, decoding: Decoding, rows: Sequence[_Row], sampling: Sampling) -> None:
        for _ in range(sampling.max_new_tokens):
            self._check()
            ids_B, log_probs_B = choose(
                decoding.logits_BV, [row.times for row in rows], sampling.temperature, sampling.top_p
            )
            for row, token, log_prob in zip(rows, ids_B.tolist(), log_probs_B.tolist(), strict=True):
                row.write(token, log_prob, self._ends)
            going = [at for at, row in enumerate(rows) if row.goes_on]
            if not going:
                break
            if len(going) < len(rows):
                decoding.keep(going)
                rows = [rows[at] for at in going]
                ids_B = ids_B[going]
            decoding.step(ids_B)

    def _check(self) -> None:
        if self._stop is not None:
            self._stop.check()


@dataclass(slots=True)
class _Row:
    """A completion while it is written."""

    times: Times
    most: int
    ids: array[int] = field(default_factory=lambda: array("i"))
    log_probs: array[float] = field(default_factory=lambda: array("f"))
    finished: bool = False

    def write(self, token: int, log_prob: float, ends: frozenset[int]) -> None:
        self.ids.append(token)
        self.log_probs.append(log_prob)
        self.finished = token in ends

    @property
    def goes_on(self) -> bool:
        return not self.finished and len(self.ids) < self.most

    def rollout(self) -> Rollout:
        return Rollout(self.ids, self.log_probs, self.finished)
