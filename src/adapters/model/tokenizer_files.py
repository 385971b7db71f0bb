"""Loading a tokenizer that conversations can be encoded with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase

from ...domain.errors import ModelError
from .load_errors import explained, first_line


def load_tokenizer(name: str, place: Mapping[str, Any]) -> PreTrainedTokenizerBase:
    """The tokenizer of a model or of LoRA weights.

    Args:
        place: where the files of the name are, in the loading call's words.

    Raises:
        ModelError: M003 when there is none that works here; M001, M002 when there is no model either.
    """
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name, **place, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        if not (Path(name) / "adapter_config.json").exists():
            with explained(name):  # a model that is missing or broken has no usable tokenizer either
                AutoConfig.from_pretrained(name, **place, trust_remote_code=False)
        raise ModelError(
            "M003",
            "a model has no usable tokenizer",
            where=name,
            got=first_line(cause),
            expected="tokenizer.json or the tokenizer files of its family",
            fix="put the tokenizer's files beside the weights",
        ) from cause
    if not tokenizer.is_fast:
        raise ModelError(
            "M003",
            "a tokenizer does not tell where in a text its tokens stand, so answers cannot be told apart",
            where=name,
            expected="a tokenizer.json",
            fix="save it once with the tokenizers library's fast form of it",
        )
    if tokenizer.eos_token_id is None:
        raise ModelError(
            "M003",
            "a tokenizer has no end-of-sequence token, so answers would never end",
            where=name,
            fix="set eos_token in its tokenizer_config.json",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.init_kwargs.pop("local_files_only", None)  # saved, it would tell how this machine found it
    return tokenizer  # type: ignore[no-any-return]
