"""What the libraries say of a model that cannot be loaded, in our form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from ...domain.errors import ModelError
from .folder_errors import asks_for_code

OF_THE_FILES = (
    OSError,
    ValueError,
    RuntimeError,
    SafetensorError,
    ImportError,
    # what numbers and words in a configuration lead to that nobody thought of
    ArithmeticError,
    AttributeError,
    LookupError,
    StrictDataclassError,
    TypeError,
)
"""What the libraries raise for a model's files that are missing or wrong."""

TAKE_ANOTHER = "take another model, or an edition of this one that needs no code, often called -hf"


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Translates what is raised within it.

    Raises:
        ModelError: M001 when the model is not found, M002 when it cannot be read, M006 when memory is short,
            M042 when it needs code of its own.
    """
    try:
        yield
    except torch.OutOfMemoryError as cause:
        raise ModelError(
            "M006",
            "the model does not fit in the device's memory",
            where=name,
            fix="set quantizer.name to nf4 or take a smaller model",
        ) from cause
    except OF_THE_FILES as cause:
        local = Path(name).exists()
        if isinstance(cause, OSError) and not local and "safetensors" not in str(cause):
            raise _not_found(name, cause) from cause
        if needs_code(cause):
            raise asks_for_code(name, "code of its architecture", TAKE_ANOTHER) from cause
        raise ModelError(
            "M002",
            "a model cannot be loaded",
            where=name,
            got=first_line(cause),
            expected="config.json and complete safetensors of a causal language model",
            fix=_fix(cause, local),
        ) from cause


def needs_code(cause: Exception) -> bool:
    """Whether transformers would have to run a repository's code."""
    return "custom code" in str(cause) and "must be executed" in str(cause)


def _fix(cause: Exception, local: bool) -> str:
    if "does not recognize this architecture" in str(cause):
        return "take a model of another architecture, or a newer cesello"
    return "check the folder's files" if local else "check the name and revision"


def _not_found(name: str, cause: Exception) -> ModelError:
    if Path(name).is_absolute():
        return ModelError(
            "M001", "the folder of a model does not exist", where=name, fix="correct model.name"
        )
    return ModelError(
        "M001",
        f'the model "{name}" is not here and cannot be fetched',
        got=first_line(cause),
        fix="run `cesello kit install` for the offline models, correct model.name, or let the hub be reached",
    )


def first_line(cause: Exception) -> str:
    """Of a message, at most 200 characters."""
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
