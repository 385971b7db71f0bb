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
from ..domain.prompt_program import PromptProgram
from ..domain.run import RunSummary


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A prompt for the model of a run; ``lora=False`` asks the base model.

    Attributes:
        program: what is put around it.
    """

    run: RunSummary
    model: ModelSpec
    prompt: str
    program: PromptProgram = field(default_factory=PromptProgram)
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
            searched = request.run.manifest.get("algorithm") == "apo"
            raise ModelError(
                "M007",
                "the run holds no LoRA weights",
                where=request.run.path,
                got="a prompt search" if searched else f"a run that is {request.run.status}",
                fix="name the run of a model with --run, and the search's prompt.yaml with --prompt-file"
                if searched
                else "name a completed run, see `cesello runs list`",
            )
        policy = self._provider.reopen(request.model, weights)
        prompt = request.program.around(user(request.prompt))
        for piece in policy.stream(prompt, request.sampling, lora=request.lora):
            self._stop.check()
            yield piece
