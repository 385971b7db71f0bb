"""A language model in one GGUF file, as the float32 safetensors folder that can be trained."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader
from safetensors import SafetensorError
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from ...domain.errors import ModelError


class GgufConverter:
    """Converts through transformers, so every architecture it reads from GGUF can be in the kit."""

    def convert(self, source: Path, into: Path) -> None:
        """See the port; ``source`` holds one ``.gguf`` file."""
        (file,) = source.glob("*.gguf")
        options: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
        try:
            # Two of its progress bars cannot be switched off; they would write over ours, or into a log.
            with redirect_stderr(io.StringIO()):
                tokenizer = AutoTokenizer.from_pretrained(source, **options)
                model = AutoModelForCausalLM.from_pretrained(
                    source, **options, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
                )
                _mend(tokenizer, _pre_tokenizer(file), model.config.max_position_embeddings)
                model.save_pretrained(into)
                tokenizer.save_pretrained(into)
        except (ValueError, KeyError, TypeError, RuntimeError, NotImplementedError, SafetensorError) as cause:
            raise ModelError(
                "M080",
                "a GGUF file cannot be converted",
                where=file.name,
                got=str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__,
                fix="report it with the versions of transformers and gguf",
            ) from cause


def _pre_tokenizer(file: Path) -> str | None:
    field = GGUFReader(file).get_field("tokenizer.ggml.pre")
    return None if field is None else str(field.contents())


def _mend(tokenizer: Any, pre_tokenizer: str | None, max_length: int) -> None:
    """What the conversion of a GGUF tokenizer leaves out."""
    if pre_tokenizer == "smollm":
        # This family splits digits off one by one before the byte-level rule: "    7" is ["    ", "7"], not
        # ["   ", " ", "7"] as the plain rule has it. The merges alone do not say so.
        digits = pre_tokenizers.Digits(individual_digits=True)
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    tokenizer.model_max_length = max_length
    for circumstance in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(circumstance, None)
