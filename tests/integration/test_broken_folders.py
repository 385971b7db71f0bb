"""Folders of models that are not whole, or whose parts do not belong together: each is told with a remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cesello.domain.model_spec import LoraSpec, ModelSpec
from tests.strange_folders import (
    INDEX,
    PROVIDER,
    Case,
    Make,
    Payload,
    change,
    configured,
    refused,
    without,
    written,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def lacking_a_shard(folder: Path, payload: Payload) -> None:
    first, second = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
    (folder / "model.safetensors").rename(folder / first)
    weight_map = {"lm_head.weight": first, "model.norm.weight": second}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def lacking_a_tensor(folder: Path, payload: Payload) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def cut_to(size: int) -> Make:
    """A file of weights without its end."""

    def make(folder: Path, payload: Payload) -> None:
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:size])

    return make


def with_token(*, special: bool) -> Make:
    """A tokenizer with one more token than the model has embeddings."""

    def make(folder: Path, payload: Payload) -> None:
        from transformers import AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        tokenizer.add_tokens(["<picture>"], special_tokens=special)
        tokenizer.save_pretrained(folder)

    return make


NO_KIND = '{"version": "1.0", "added_tokens": [], "model": {"type": "new"}}'

BROKEN = {
    "no configuration": Case(without("config.json"), "M002", "model", "config.json", "check the folder"),
    "a configuration that is no JSON": Case(
        written("config.json", "{"), "M002", "config.json", "Expecting", "bring the file again"
    ),
    "a configuration that is a list": Case(
        written("config.json", "[]"), "M002", "config.json", "no JSON object", "bring the file again"
    ),
    "a configuration nested without end": Case(
        written("config.json", '{"a":' + "[" * 50_000), "M002", "config.json", "recursion", "bring the file"
    ),
    "a size that is no number": Case(
        configured("config.json", hidden_size="large"), "M002", "model", "hidden_size", "check the folder"
    ),
    "no heads": Case(
        configured("config.json", num_attention_heads=0), "M002", "model", "zero", "check the folder"
    ),
    "an unknown architecture": Case(
        configured("config.json", model_type="no_such"), "M002", "model", "`no_such`", "another architecture"
    ),
    "no tokenizer": Case(without("tokenizer.json"), "M003", "model", "", "put the tokenizer's files"),
    "a tokenizer that is no JSON": Case(
        written("tokenizer.json", "{"), "M003", "model", "", "put the tokenizer's files"
    ),
    "a tokenizer of no kind": Case(
        written("tokenizer.json", NO_KIND), "M003", "model", "did not match", "put the tokenizer's files"
    ),
    "no token that ends": Case(
        configured("tokenizer_config.json", eos_token=None), "M003", "model", "", "set eos_token"
    ),
    "more tokens than embeddings": Case(
        with_token(special=False), "M049", "model", "the token 259", "of the same model"
    ),
    "no weights": Case(
        without("model.safetensors"), "M002", "model", "model.safetensors", "check the folder's files"
    ),
    "no such shard": Case(
        lacking_a_shard, "M014", INDEX, "no file model-00002-of-00002.safetensors", "bring the missing"
    ),
    "an index of nothing": Case(written(INDEX, "{}"), "M002", INDEX, "no weight_map", "bring the file again"),
    "a missing tensor": Case(lacking_a_tensor, "M014", "model", "model.norm.weight", "bring the missing"),
    "empty weights": Case(cut_to(0), "M045", "model.safetensors", "0 bytes", "bring the file again"),
    "weights that end in the header": Case(
        cut_to(1000), "M045", "model.safetensors", "a file of 1000", "bring the file again"
    ),
    "weights that end in a tensor": Case(
        cut_to(-100), "M046", "model.safetensors", "beyond the end", "bring the file again"
    ),
    "weights of other shapes": Case(
        configured("config.json", intermediate_size=96), "M002", "config.json", "mlp", "of the same model"
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_told(name: str, tmp_path: Path, tiny: Path, payload: Payload) -> None:
    error = refused(BROKEN[name].folder(tmp_path, tiny, tiny, payload), tiny)
    BROKEN[name].check(error)


def test_without_a_token_that_fills_the_one_that_ends_is_taken(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    change(folder / "tokenizer_config.json", pad_token=None)
    assert PROVIDER.load(ModelSpec(str(folder)), LoraSpec(), seed=0)
    tokenizer = PROVIDER.encoder(ModelSpec(str(folder))).tokenizer
    assert tokenizer.pad_token_id == tokenizer.eos_token_id


def test_without_a_template_conversations_are_written_as_chatml(tiny: Path) -> None:
    assert not (tiny / "chat_template.jinja").exists()
    assert PROVIDER.encoder(ModelSpec(str(tiny))).origin == "chatml"


def test_a_special_token_without_an_embedding_matters_where_the_template_writes_it(
    tiny: Path, tmp_path: Path, payload: Payload
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    with_token(special=True)(folder, payload)
    assert PROVIDER.load(ModelSpec(str(folder)), LoraSpec(), seed=0)
    (folder / "chat_template.jinja").write_text("<picture>{{ messages[0].content }}")
    assert refused(folder, tiny).code == "M049"
