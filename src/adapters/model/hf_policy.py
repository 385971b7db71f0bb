"""A policy of transformers and PEFT: what encodes, scores, writes and is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

from ...domain.conversation import Conversation, Message, ToolCall
from ...domain.generation import Completion, LossTotal, Sampling
from ...domain.model_spec import PolicyFacts
from ...domain.ports.run import Stop
from ...domain.tokens import TokenRow
from .chat_encoder import ChatEncoder
from .evaluating import evaluating
from .packed_loss import keeps_rows_apart, summed_loss
from .peft_lora import Tuned, save_lora
from .weight_prints import trained_print, weights_print

_PACKED_TOKENS = 512


class HfPolicy:
    """A model with LoRA weights and its tokenizer; ``model`` is what an optimiser of this library trains.

    Args:
        stop: is asked at every token of an answer, which on a CPU can take minutes.
    """

    def __init__(
        self, tuned: Tuned, encoder: ChatEncoder, facts: PolicyFacts, stop: Stop | None = None
    ) -> None:
        self.model: Any = tuned.model
        self._tuned = tuned
        self._encoder = encoder
        self._tokenizer: Any = encoder.tokenizer
        self._facts = facts
        self._stop = stop
        self._packs: bool | None = None

    @property
    def facts(self) -> PolicyFacts:
        return self._facts

    @property
    def identity(self) -> Mapping[str, str]:
        return {
            "base model": self._facts.name,
            "base weights": weights_print(self.model),
            "tokenizer": self._encoder.tokenizer_identity,
            "chat template": self._encoder.template_identity,
            "trained weights": trained_print(self.model),
        }

    @property
    def packs(self) -> bool:
        """Whether rows can share a forward pass; tried once, on the model itself."""
        if self._packs is None:
            self._packs = keeps_rows_apart(self.model)
        return self._packs

    @property
    def ends(self) -> list[int]:
        """Tokens that end an answer: the tokenizer's and those the model's authors name."""
        named = self.model.generation_config.eos_token_id
        listed = named if isinstance(named, list) else [] if named is None else [named]
        return sorted({int(self._tokenizer.eos_token_id), *listed})

    @property
    def pad(self) -> int:
        """The token that fills a row up."""
        return int(self._tokenizer.pad_token_id)

    def prompt(self, conversation: Conversation) -> list[int]:
        """The tokens after which the model writes its answer."""
        return list(self._encoder.prompt(conversation))

    def text(self, ids: Sequence[int]) -> str:
        """What an answer says, without the tokens that end it."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).removesuffix("<|im_end|>")

    def shown(self, ids: Sequence[int]) -> str:
        """All that these tokens say, the special ones too."""
        return "".join(self.pieces(ids))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return self._encoder.pieces(ids)

    def results(self, calls: Sequence[ToolCall], results: Sequence[Message]) -> list[int]:
        """The tokens that come after an answer with calls, up to where the next answer begins.

        Raises:
            ModelError: M057 when the chat template has no place for what tools say.
        """
        return self._encoder.results(calls, results)

    def told(self, text: str) -> list[int]:
        """The tokens that come after an answer where the user says this, up to where the next answer begins.

        Raises:
            ModelError: M057 when the chat template has no place for it. DataError: D017.
        """
        return self._encoder.told(text)

    def check_tools(self) -> None:
        """Makes sure that calls are read as the model is shown to write them, and that results can be told.

        Raises:
            ModelError: M057 when not.
        """
        self._encoder.check_tools()

    def reference(self) -> AbstractContextManager[Any]:
        """Within this, ``model`` is what the training began with."""
        return self._tuned.reference()

    def encode(self, conversation: Conversation) -> TokenRow:
        return self._encoder.encode([conversation])[0]

    def score(self, rows: Sequence[TokenRow], *, reference: bool = False) -> LossTotal:
        with self._tuned.reference() if reference else nullcontext(), evaluating(self.model):
            parts = [summed_loss(self.model, part, packed=self.packs).item() for part in _parts(rows)]
        return LossTotal(sum(parts), sum(row.trained_tokens for row in rows))

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, *, lora: bool = True
    ) -> tuple[Completion, ...]:
        if not prompts:
            return ()
        inputs = self._batch([self._encoder.prompt(prompt) for prompt in prompts])
        width = inputs["input_ids"].shape[1]
        with self._weights(lora), evaluating(self.model), _seeded(sampling.seed):
            output_BT = self.model.generate(
                **inputs,
                generation_config=self._generation_config(sampling),
                stopping_criteria=StoppingCriteriaList([_Ended(self._is_stopped)]),
            )
        if self._stop is not None:
            self._stop.check()  # the answers are not whole then
        return tuple(self._completion(row.tolist()) for row in output_BT[:, width:])

    def stream(self, prompt: Conversation, sampling: Sampling, *, lora: bool = True) -> Iterator[str]:
        inputs = self._batch([self._encoder.prompt(prompt)])
        streamer = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
        ended = Event()
        failures: list[Exception] = []

        def write() -> None:
            try:
                self.model.generate(
                    **inputs,
                    generation_config=self._generation_config(sampling),
                    streamer=streamer,
                    stopping_criteria=StoppingCriteriaList([_Ended(ended.is_set)]),
                )
            except Exception as failure:
                failures.append(failure)
                streamer.end()  # or the reader would wait for ever

        with self._weights(lora), evaluating(self.model), _seeded(sampling.seed):
            thread = Thread(target=write, daemon=True)
            thread.start()
            try:
                yield from streamer
            finally:
                ended.set()
                thread.join()
        if failures:
            raise failures[0]

    def save(self, folder: Path) -> None:
        save_lora(self._tuned, folder)
        self._tokenizer.save_pretrained(folder)

    def _is_stopped(self) -> bool:
        return self._stop is not None and self._stop.requested is not None

    def _weights(self, lora: bool) -> AbstractContextManager[Any]:
        return nullcontext() if lora else self._tuned.base()

    def _batch(self, prompts: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """Prompts padded on the left to one width, shape [B, T], with their mask."""
        width = max(map(len, prompts))
        padding = int(self._tokenizer.pad_token_id)
        ids = torch.tensor([[padding] * (width - len(row)) + list(row) for row in prompts])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
        return {
            "input_ids": ids.to(self.model.device),
            "attention_mask": mask.to(self.model.device),
        }

    def _generation_config(self, sampling: Sampling) -> GenerationConfig:
        greedy = sampling.temperature == 0
        choice = (
            {}
            if greedy
            else {
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": 0,
            }
        )
        return GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=not greedy,
            eos_token_id=self.ends,
            pad_token_id=int(self._tokenizer.pad_token_id),
            **choice,
        )

    def _completion(self, ids: list[int]) -> Completion:
        ends = set(self.ends)
        count = next((index + 1 for index, token in enumerate(ids) if token in ends), None)
        kept = ids if count is None else ids[:count]
        return Completion(self.text(kept), len(kept), count is not None)


class _Ended(StoppingCriteria):
    """Ends the writing of an answer that nobody reads any more."""

    def __init__(self, ended: Callable[[], bool]) -> None:
        self._ended = ended

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        return torch.full((len(input_ids),), self._ended(), device=input_ids.device)


def _parts(rows: Sequence[TokenRow]) -> Iterator[Sequence[TokenRow]]:
    """Rows cut into parts of about ``_PACKED_TOKENS``: attention costs the square of what is packed."""
    start = tokens = 0
    for index, row in enumerate(rows):
        if tokens and tokens + len(row) > _PACKED_TOKENS:
            yield rows[start:index]
            start, tokens = index, 0
        tokens += len(row)
    yield rows[start:]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draws depend on ``seed`` alone and disturb nobody else's."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
