"""Ask a tuned model, with or without its LoRA weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..domain.conversation import user
from ..domain.errors import ModelError
from ..domain.generation import Sampling
from ..domain.model_spec import ModelSpec
from ..domain.ports.model import ModelProvider
from ..domain.ports.run import Stop
from ..domain.run import RunSummary


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A prompt for the model of a run; ``lora=False`` asks the base model."""

    run: RunSummary
    model: ModelSpec
    prompt: str
    system_prompt: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    lora: bool = True


class Generate:
    """Streams the answer of a run's model."""

    def __init__(self, provider: ModelProvider, stop: Stop) -> None:
        self._provider = provider
        self._stop = stop

    def __call__(self, request: GenerateRequest) -> Iterator[str]:
        """Pieces of the answer as they come.

        Raises:
            ModelError: M007 when the run holds no weights, and those of the provider.
        """
        weights = Path(request.run.path) / "lora"
        if not weights.is_dir():
            raise ModelError(
                "M007",
                "the run holds no LoRA weights",
                where=request.run.path,
                got=f"a run that is {request.run.status}",
                fix="name a completed run, see `cesello runs list`",
            )
        policy = self._provider.reopen(request.model, weights)
        prompt = user(request.prompt).with_system(request.system_prompt)
        for piece in policy.stream(prompt, request.sampling, lora=request.lora):
            self._stop.check()
            yield piece
