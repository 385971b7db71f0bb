"""What a side of ``benchmarks/grpo_vs_trl.py`` is asked: the same prompts, model and LoRA, step by step.

A side is a process of its own. It reads its job from the first line of its input, and a line before every
step; it answers with a line of JSON each time, and in between waits without using a processor.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import wraps
from typing import Any
from zlib import crc32

from benchmarks.peers.sft_job import Job, base_model, forget_peak, peak_bytes

COMPLETIONS = 8
LEARNING_RATE = 1e-5
NEVER = 1_000_000
"""A token that no vocabulary has: it ends a completion that is to have exactly so many tokens."""
PHASES = ("generate", "score", "log_probs", "update")

Seconds = tuple[float, float]
"""By the clock and of the process's own time."""


@dataclass(frozen=True, slots=True)
class GrpoJob:
    """Some optimizer steps of reinforcement.

    Attributes:
        steps: of each step its prompts: what a user asks, ``prompt`` tokens long with the chat template.
        new: tokens of every completion.
        options: of TRL's configuration.
    """

    model: str
    steps: list[list[str]]
    prompt: int
    new: int
    beta: float = 0.0
    device: str = "cpu"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def dtype(self) -> str:
        return "float32" if self.device == "cpu" else "bfloat16"

    def base(self) -> Any:
        return base_model(Job(self.model, [], 0, self.device, self.dtype))

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def chat_encoder(model: str, device: str) -> Any:
    """The kit's tokenizer; beside weights of noise on a GPU, which has no kit, one of bytes."""
    from cesello.adapters.model.chat_encoder import ChatEncoder
    from cesello.adapters.model.hub_cache import HubCache
    from cesello.adapters.model.tokenizer_files import load_tokenizer
    from cesello.entrypoints.home import home
    from tests.tiny_model import tiny_tokenizer

    if device != "cpu":
        return ChatEncoder(tiny_tokenizer())
    return ChatEncoder(load_tokenizer(model, HubCache(home() / "hub").arguments(model)))


def worth(place: int) -> float:
    """The reward of a completion by its place among all of a step: 0 to 1 in every group.

    It costs nothing, no group is dead, and no completion is an average one that could be left out.
    """
    return place % COMPLETIONS / (COMPLETIONS - 1)


class Turns:
    """A side's end of the line."""

    def __init__(self) -> None:
        # What libraries print is no answer.
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.job = GrpoJob(**json.loads(sys.stdin.readline()))
        self._spent: dict[str, Seconds] = {}
        self._began = (0.0, 0.0)

    def ready(self, prompts: Sequence[Sequence[int]]) -> None:
        """All is loaded; both sides must have the same tokens of the prompts.

        Waits for the first step.
        """
        lengths = sorted({len(ids) for ids in prompts})
        self._say({"prompts": crc32(json.dumps([list(ids) for ids in prompts]).encode()), "lengths": lengths})
        forget_peak(self.job.device)
        self._wait()

    def tell(self, completion_tokens: float, reported: dict[str, float] | None = None) -> None:
        """A step is over. Waits for the next one.

        Args:
            completion_tokens: of a completion, on average.
            reported: seconds of phases by the clock, where the trainer itself tells them.
        """
        whole = _since(self._began, self.job.device)
        clock = {name: spent[0] for name, spent in self._spent.items()} | (reported or {})
        worked = {name: spent[1] for name, spent in self._spent.items()}
        self._say(
            {
                "seconds": _with_the_rest(clock, whole[0]),
                "processor seconds": _with_the_rest(worked, whole[1]),
                "completion tokens": completion_tokens,
                "peak": peak_bytes(self.job.device),
            }
        )
        self._wait()

    def measure(self, owner: Any, method: str, phase: str, when: Callable[[], bool] = lambda: True) -> None:
        """Puts what a method takes under a phase."""
        inner = getattr(owner, method)

        @wraps(inner)
        def timed(*args: Any, **options: Any) -> Any:
            if not when():
                return inner(*args, **options)
            with self._phase(phase):
                return inner(*args, **options)

        setattr(owner, method, timed)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = _now(self.job.device)
        yield
        before, took = self._spent.get(name, (0.0, 0.0)), _since(began, self.job.device)
        self._spent[name] = (before[0] + took[0], before[1] + took[1])

    def _say(self, answer: dict[str, Any]) -> None:
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()

    def _wait(self) -> None:
        if not sys.stdin.readline():
            os._exit(0)  # nobody asks any more
        self._spent.clear()
        self._began = _now(self.job.device)


def _with_the_rest(phases: dict[str, float], whole: float) -> dict[str, float]:
    """All phases; what belongs to none of the others is the update."""
    known = {name: phases.get(name, 0.0) for name in PHASES[:-1]}
    return {**known, "update": whole - sum(known.values()), "step": whole}


def _now(device: str) -> Seconds:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def _since(began: Seconds, device: str) -> Seconds:
    clock, worked = _now(device)
    return clock - began[0], worked - began[1]
