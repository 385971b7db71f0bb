"""What gepa's own reflection proposes: its question to the model and its way of reading the answer.

The package (`pip install gepa`) depends on nothing; only its instruction proposal is used, not its search.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from random import Random
from typing import Any

from ...domain.conversation import user
from ...domain.errors import UsageError
from ...domain.generation import Sampling
from ...domain.judging import harmless
from ...domain.ports.text import TextGenerator
from ...domain.prompt_search import Proposal, SearchView
from .model_edits import TEMPERATURE, edited
from .prompt_texts import editable_texts, failures
from .reflective_proposer import judgement, question_of

_SHOWN = 3


class GepaProposer:
    """One call a proposal. gepa fences nothing, so that what is shown can speak to the model that reads it.

    Args:
        generator: who is asked.

    Raises:
        UsageError: C130 when gepa is not installed.
    """

    name = "gepa"
    calls_each = 1

    def __init__(self, generator: TextGenerator, max_new_tokens: int = 512) -> None:
        try:
            module: Any = import_module("gepa.strategies.instruction_proposal")
        except ImportError as cause:
            raise UsageError(
                "C130", "the proposer gepa needs a package that is not installed",
                got=str(cause), fix="pip install gepa",
            ) from cause  # fmt: skip
        self._signature = module.InstructionProposalSignature
        self._generator = generator
        self._max_new_tokens = max_new_tokens

    def propose(self, view: SearchView, count: int, seed: int) -> Sequence[Proposal]:
        """See the port."""
        components, failed = editable_texts(view), failures(view)
        if not components or not failed:
            return []
        draw = Random(f"{seed}/gepa")
        first = draw.randrange(len(components))
        chosen = [components[(first + at) % len(components)] for at in range(count)]
        return [self._proposal(view, one, draw, seed + at) for at, one in enumerate(chosen)]

    def _proposal(self, view: SearchView, component: str, draw: Random, seed: int) -> Proposal:
        failed = failures(view)
        records = [
            {
                "Inputs": harmless(question_of(view, one)),
                "Generated Outputs": harmless(one.completion),
                "Feedback": judgement(one),
            }
            for one in draw.sample(failed, min(_SHOWN, len(failed)))
        ]
        given = {"current_instruction_doc": view.parent.text(component), "dataset_with_feedback": records}
        prompt = self._signature.prompt_renderer(given)
        sampling = Sampling(self._max_new_tokens, TEMPERATURE, seed=seed % 2**32)
        (answer,) = self._generator.generate([user(prompt)], sampling)
        text = self._signature.output_extractor(answer.text.strip())["new_instruction"]
        return edited(view.parent, component, harmless(text).strip(), "rewritten by gepa", answer.tokens)
