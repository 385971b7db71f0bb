"""Loading a tokenizer that conversations can be encoded with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase

from ...domain.errors import ModelError
from .folder_errors import asks_for_code
from .load_errors import OF_THE_FILES, TAKE_ANOTHER, explained, first_line, needs_code


def load_tokenizer(name: str, place: Mapping[str, Any]) -> PreTrainedTokenizerBase:
    """The tokenizer of a model or of LoRA weights.

    Args:
        place: where the files of the name are, in the loading call's words.

    Raises:
        ModelError: M003 when there is none that works here; M001, M002 when there is no model either; M042
            when it needs code of its own.
    """
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name, **place, trust_remote_code=False)
    except Exception as cause:
        # The tokenizers library raises Exception itself for a tokenizer.json that it cannot read.
        if type(cause) is not Exception and not isinstance(cause, OF_THE_FILES):
            raise
        if needs_code(cause):
            raise asks_for_code(name, "code of its tokenizer", TAKE_ANOTHER) from cause
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


def check_vocabulary(tokenizer: Any, base: Any) -> None:
    """Refuses a tokenizer that can give ids for which the model has no embeddings.

    Special tokens that no template writes are left alone: in a text of the data their names stay text, so
    they never come up. Gemma 3 has one for pictures behind its embeddings.

    Raises:
        ModelError: M049.
    """
    rows = int(base.get_input_embeddings().weight.shape[0])
    ids = {token: id_ for token, id_ in tokenizer.get_vocab().items() if id_ >= rows}
    named = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token}
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special} - named
    written = str(tokenizer.chat_template)
    beyond = sorted(id_ for token, id_ in ids.items() if token not in special or token in written)
    if beyond:
        raise ModelError(
            "M049",
            "a tokenizer knows more tokens than the model has embeddings",
            where=tokenizer.name_or_path,
            got=f"the token {beyond[-1]}",
            expected=f"tokens below {rows}",
            fix="bring the tokenizer's files and the weights of the same model together",
        )
