"""The builders of prompt search: who answers, who thinks of prompts, and where it is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..application.improve_prompt import Answering, LoadAnswering
from ..domain.conversation import Conversation
from ..domain.generation import Completion, Sampling
from ..domain.model_spec import LoraSpec, ModelSpec
from ..domain.ports.model import ModelProvider, Policy
from ..domain.ports.prompt import EvaluationLedger, PromptProposer, SearchAnswers
from ..domain.ports.text import TextGenerator

WORKERS = 4
"""Requests that a server is sent at a time."""


def sqlite_ledger(file: Path, engine: str) -> EvaluationLedger:
    """A ledger in a file."""
    from ..adapters.prompt.sqlite_ledger import SqliteLedger

    return SqliteLedger(file, engine)


def recorded_answers() -> SearchAnswers:
    """What searches have kept in their runs."""
    from ..adapters.prompt.recorded_answers import RecordedAnswers

    return RecordedAnswers()


class UntouchedModel:
    """The base model of a policy, without its LoRA weights."""

    def __init__(self, load: Callable[[], Policy]) -> None:
        self._load = load

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> Sequence[Completion]:
        return self._load().generate(prompts, sampling, lora=False)


def answering(settings: Mapping[str, Any], models: ModelProvider) -> LoadAnswering:
    """What gives who answers.

    Args:
        settings: the recipe's section ``apo``.
    """

    def load(model: ModelSpec, lora: LoraSpec, seed: int) -> Answering:
        # Fresh LoRA weights change nothing of what a model says.
        given = lora if lora.continue_from else LoraSpec(r=1)
        policy = cache(lambda: models.load(model, given, seed=seed))
        thinks = _optimizer(settings["optimizer"], policy)
        longest = settings["optimizer"]["max_new_tokens"] if settings["optimizer"] else 0
        made = [proposer(name, thinks, longest) for name in dict.fromkeys(settings["proposers"])]
        thinking = _thinking(settings["optimizer"], policy) if any(one.calls_each for one in made) else {}
        its = settings["generator"]
        if its["kind"] == "openai":
            identity = {"answers of": f"{its['model']} at {its['url']}"}
            return Answering(server(its), identity, None, made, thinking, together=WORKERS)
        here = policy()
        identity = {**here.identity, "device": here.facts.device, "number format": here.facts.dtype}
        return Answering(here, identity, here.facts, made, thinking)

    return load


def _thinking(settings: Mapping[str, Any] | None, policy: Callable[[], Policy]) -> dict[str, str]:
    """What decides the answers of the model that proposers ask."""
    if settings is None:
        return {}
    longest = {"tokens of a proposal": str(settings["max_new_tokens"])}
    if settings["kind"] == "openai":
        return {"proposals of": f"{settings['model']} at {settings['url']}", **longest}
    return {f"{name} of proposals": value for name, value in policy().identity.items()} | longest


def _optimizer(settings: Mapping[str, Any] | None, policy: Callable[[], Policy]) -> TextGenerator | None:
    if settings is None:
        return None
    return server(settings) if settings["kind"] == "openai" else UntouchedModel(policy)


def server(settings: Mapping[str, Any]) -> TextGenerator:
    """A server with OpenAI's chat completions."""
    from ..adapters.model.openai_generator import OpenAiGenerator

    return OpenAiGenerator(
        settings["url"],
        settings["model"],
        api_key_env=settings["api_key_env"],
        timeout=settings["timeout_seconds"],
        workers=WORKERS,
    )


def proposer(name: str, thinks: TextGenerator | None, longest: int) -> PromptProposer:
    """Who thinks of prompts.

    Args:
        thinks: the language model that some of them ask, which a valid recipe has for these.
        longest: answer of it, in tokens.
    """
    from ..adapters.prompt.demo_proposer import DemoProposer
    from ..adapters.prompt.gepa_proposer import GepaProposer
    from ..adapters.prompt.history_proposer import HistoryProposer
    from ..adapters.prompt.merge_proposer import MergeProposer
    from ..adapters.prompt.reflective_proposer import ReflectiveProposer
    from ..adapters.prompt.rule_proposer import RuleProposer

    offline: dict[str, Callable[[], PromptProposer]] = {
        "rules": RuleProposer,
        "demos": DemoProposer,
        "merge": MergeProposer,
    }
    if name in offline:
        return offline[name]()
    assert thinks is not None
    asking: dict[str, Callable[[TextGenerator, int], PromptProposer]] = {
        "reflective": ReflectiveProposer,
        "history": HistoryProposer,
        "gepa": GepaProposer,
    }
    return asking[name](thinks, longest)
