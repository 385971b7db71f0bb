"""The real kit: its models load by their ordinary names, through ordinary calls, with the network cut."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest

from cesello.adapters.data.package_source import PackageSource
from cesello.domain.kit import HUB_FOLDER
from cesello.domain.kit_state import Outcome, State
from cesello.entrypoints.kit_wiring import build_kit, build_model_files
from tests.fakes.kit import RecordedProgress

LANGUAGE_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBEDDER = "sentence-transformers/all-MiniLM-L6-v2"
RERANKER = "cross-encoder/ms-marco-MiniLM-L-12-v2"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError(f"the network was asked for {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def language_model(kit_home: Path, no_network: None) -> tuple[Any, Any]:
    """The tokenizer and the model."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = build_model_files(kit_home).arguments(LANGUAGE_MODEL)
    model = AutoModelForCausalLM.from_pretrained(LANGUAGE_MODEL, **place, adapter_kwargs=place)
    return AutoTokenizer.from_pretrained(LANGUAGE_MODEL, **place), model


def test_the_language_model_answers(language_model: tuple[Any, Any]) -> None:
    tokenizer, model = language_model
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(answer) == "The capital of France is Paris.<|im_end|>"


def test_the_language_model_can_be_trained_as_it_is(language_model: tuple[Any, Any]) -> None:
    import torch

    tokenizer, model = language_model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.num_parameters() == 134_515_008
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|im_end|>")
    assert (model.config.eos_token_id, model.config.pad_token_id) == (tokenizer.eos_token_id,) * 2
    assert tokenizer.model_max_length == model.config.max_position_embeddings == 8192
    assert len(tokenizer) == model.config.vocab_size


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("    7", ["ĠĠĠĠ", "7"]), ("x  = 123", ["x", "Ġ", "Ġ=", "Ġ", "1", "2", "3"]), ("naïve", None)],
)
def test_digits_stand_alone_and_text_comes_back(
    language_model: tuple[Any, Any], text: str, tokens: list[str] | None
) -> None:
    tokenizer, _ = language_model
    assert tokens is None or tokenizer.tokenize(text) == tokens
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_embedder_puts_like_beside_like(kit_home: Path, no_network: None) -> None:
    from sentence_transformers import SentenceTransformer

    place = build_model_files(kit_home).arguments(EMBEDDER)
    embedder = SentenceTransformer(
        EMBEDDER,
        cache_folder=place.get("cache_dir"),
        local_files_only=bool(place),
        model_kwargs={"adapter_kwargs": place},
        device="cpu",
    )
    reads, loads, cooks = embedder.encode(
        ["open a file and read its lines", "load text from disk", "boil the pasta for nine minutes"]
    )
    assert reads.shape == (384,)
    assert float(reads @ reads) == pytest.approx(1, abs=1e-5)
    assert float(reads @ loads) > float(reads @ cooks) + 0.2


def test_the_reranker_scores_as_the_original(kit_home: Path, no_network: None) -> None:
    from sentence_transformers import CrossEncoder

    place = build_model_files(kit_home).arguments(RERANKER)
    reranker = CrossEncoder(
        RERANKER,
        cache_folder=place.get("cache_dir"),
        local_files_only=bool(place),
        model_kwargs={"adapter_kwargs": place},
        device="cpu",
    )
    question = "How many people live in Berlin?"
    answers = (
        "Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers.",
        "New York City is famous for the Metropolitan Museum of Art.",
    )
    scores = reranker.predict([(question, answer) for answer in answers]).tolist()
    assert scores == pytest.approx([9.267, -11.187], abs=0.01)


def test_the_function_calls_are_where_the_package_source_looks(kit_home: Path) -> None:
    source = PackageSource("calls", "bfcl-eval", ["data/BFCL_v4_simple_python.json"], None, kit_home / "kit")
    rows = list(source.rows())
    assert len(rows) == 400
    assert {"question", "function"} <= set(rows[0].values)


def test_an_installed_kit_is_whole_and_is_kept(kit_home: Path) -> None:
    kit = build_kit(kit_home)
    assert {one.outcome for one in kit.install(RecordedProgress())} == {Outcome.KEPT}
    assert {report.state for report in kit.verify(RecordedProgress())} == {State.INSTALLED}


def test_no_code_and_no_pickle_came_with_the_kit(kit_home: Path) -> None:
    manifests = [
        *(kit_home / HUB_FOLDER).glob("models--*/MANIFEST.json"),
        *kit_home.glob("kit/*/MANIFEST.json"),
    ]
    assert len(manifests) >= 5
    names = [file["path"] for path in manifests for file in json.loads(path.read_text())["files"]]
    allowed = (".json", ".jsonl.gz", ".safetensors", ".txt", ".jinja", "refs/main")
    assert [name for name in names if not name.endswith(allowed)] == []
