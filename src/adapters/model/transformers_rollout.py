"""Completions drawn by transformers' continuous batching, where that is the faster way.

It has one seed for all that is drawn together, none for a completion. What is promised is therefore less than
the port asks for: greedy completions are right, and sampled ones depend on all seeds of the call, in order.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from typing import Any

from transformers import GenerationConfig
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from ...domain.errors import ModelError
from ...domain.generation import Sampling
from ...domain.ports.run import Stop
from ...domain.rollout import Rollout
from .evaluating import evaluating

_PAGE = 32
_TOKENS_A_STEP = 2048


class TransformersRollout:
    """Draws from a causal language model of transformers, with the LoRA weights it has at the moment.

    Args:
        ends: tokens that end a completion.
        pad: the token for places that nobody reads.
        stop: is asked between two calls of the library, which cannot be interrupted.
        cache_tokens: for how many there is room; the library would take most of the memory.
    """

    def __init__(
        self, model: Any, ends: Sequence[int], pad: int, stop: Stop | None = None, cache_tokens: int = 2**15
    ) -> None:
        self._model = model
        self._ends = list(ends)
        self._pad = pad
        self._stop = stop
        self._cache_tokens = cache_tokens

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        limits: Sequence[int] | None = None,
    ) -> list[list[Rollout]]:
        """See the port, and above. The library knows one limit for all: what is beyond another is cut.

        Raises:
            ModelError: M096 when the library gives no completion.
        """
        if self._stop is not None:
            self._stop.check()
        inputs = [list(prompt) for prompt, its in zip(prompts, seeds, strict=True) for _ in its]
        with evaluating(self._model):
            outputs = self._model.generate_batch(
                inputs=inputs,
                generation_config=self._generation(sampling),
                continuous_batching_config=self._batching(seeds),
                warmup=False,
            )
        if self._stop is not None:
            self._stop.check()
        drawn = iter(self._rollout(outputs.get(f"req_{at}")) for at in range(len(inputs)))
        room = limits or [sampling.max_new_tokens] * len(prompts)
        return [[next(drawn).first(most) for _ in its] for its, most in zip(seeds, room, strict=True)]

    def _generation(self, sampling: Sampling) -> GenerationConfig:
        greedy = sampling.temperature == 0
        choice = {} if greedy else {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
        return GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=not greedy,
            eos_token_id=self._ends or [-1],
            pad_token_id=self._pad,
            **choice,
        )

    def _batching(self, seeds: Sequence[Sequence[int]]) -> ContinuousBatchingConfig:
        digest = hashlib.sha256(repr([list(its) for its in seeds]).encode()).digest()
        return ContinuousBatchingConfig(
            page_size=_PAGE,
            num_blocks=self._cache_tokens // _PAGE,
            max_batch_tokens=_TOKENS_A_STEP,
            return_logprobs=True,
            seed=int.from_bytes(digest[:4], "little"),
        )

    def _rollout(self, output: Any) -> Rollout:
        if output is None or output.error or not output.generated_tokens:
            raise ModelError(
                "M096",
                "transformers' continuous batching gives no completion",
                got=None if output is None else output.error,
                fix="choose the local rollout engine",
            )
        ids = array("i", output.generated_tokens)
        return Rollout(ids, array("f", output.logprobs), ids[-1] in self._ends)
