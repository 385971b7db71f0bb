from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from cesello.adapters.memory.onnx_embedder import OnnxEmbedder
from cesello.adapters.memory.openai_embedder import OpenAiEmbedder
from cesello.adapters.memory.sentence_transformer_embedder import SentenceTransformerEmbedder
from cesello.adapters.memory.words_embedder import WordsEmbedder
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.errors import ModelError
from cesello.domain.ports.memory import Embedder
from tests.embedding_server import embedding_service
from tests.fakes.memory import FakeEmbedder

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
BGE_SMALL = "BAAI/bge-small-en-v1.5"


@pytest.fixture(scope="module")
def files(kit_home: Path) -> HubCache:
    return HubCache(kit_home / "hub")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture(scope="module")
def minilm(files: HubCache) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(MINILM, files)


@pytest.fixture(scope="module")
def onnx(files: HubCache, kept: Path) -> OnnxEmbedder:
    return OnnxEmbedder(MINILM, files, kept, threads=2)


@pytest.fixture(scope="module")
def onnx_int8(files: HubCache, kept: Path) -> OnnxEmbedder:
    return OnnxEmbedder(MINILM, files, kept, precision="int8")


@pytest.fixture(scope="module")
def bge(files: HubCache, kept: Path) -> OnnxEmbedder:
    return OnnxEmbedder(BGE_SMALL, files, kept)


@pytest.fixture(scope="module")
def words(onnx: OnnxEmbedder) -> WordsEmbedder:
    return WordsEmbedder(onnx)


@pytest.fixture(scope="module")
def served() -> Iterator[OpenAiEmbedder]:
    with embedding_service() as service:
        yield OpenAiEmbedder(service.url, "words")


@pytest.fixture(params=["fake", "minilm", "onnx", "onnx_int8", "bge", "words", "served"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    made: Embedder = FakeEmbedder() if request.param == "fake" else request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["minilm", "onnx"])
def exact(request: pytest.FixtureRequest) -> SentenceTransformerEmbedder | OnnxEmbedder:
    made: SentenceTransformerEmbedder | OnnxEmbedder = request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["minilm", "onnx"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Embedder]:
    """Makes an embedder of a folder, or of a hub's name."""

    def made(name: str, files: HubCache, **options: Any) -> Embedder:
        if request.param == "minilm":
            return SentenceTransformerEmbedder(name, files, **options)
        return OnnxEmbedder(name, files, tmp_path / "kept", **options)

    return made


@pytest.fixture
def folder(files: HubCache, tmp_path: Path) -> Path:
    """MiniLM as a folder of its own, for a test to change."""
    from huggingface_hub import snapshot_download

    source = snapshot_download(MINILM, **files.arguments(MINILM))
    return Path(shutil.copytree(source, tmp_path / "minilm"))


def matrix(embedder: Embedder, texts: list[str]) -> NDArray[np.float64]:
    return np.array(embedder.embed(texts))


def cosine(a: object, b: object) -> float:
    assert isinstance(a, list | tuple)
    assert isinstance(b, list | tuple)
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


STRANGE = ["def f(): return 1", "", " ", "\0", "🙂" * 50, "name \udcff", "word " * 5_000, "a" * 1_000_000]


def test_a_vector_has_the_dimension_and_length_one(embedder: Embedder) -> None:
    for vector in [*embedder.embed(STRANGE), *map(embedder.embed_query, STRANGE)]:
        assert len(vector) == embedder.dimension
        assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-4)


def test_no_texts_are_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]) == ()


def test_a_text_has_one_vector_whatever_is_beside_it(embedder: Embedder) -> None:
    texts = ["sort a list of numbers " * n for n in (9, 1, 30, 2)] + ["open a file"]
    together = embedder.embed(texts)
    alone = [embedder.embed([text])[0] for text in texts]
    assert [list(vector) for vector in together] == [
        pytest.approx(list(vector), abs=1e-5) for vector in alone
    ]
    assert embedder.embed(texts) == together


def test_a_question_and_a_text_are_alike_where_the_model_does_not_tell_them_apart(embedder: Embedder) -> None:
    text = "read a file line by line"
    assert list(embedder.embed_query(text)) == pytest.approx(list(embedder.embed([text])[0]), abs=1e-6)


def test_texts_about_one_thing_are_nearer(embedder: Embedder) -> None:
    query = embedder.embed_query("read a file line by line")
    same, other = embedder.embed(["def read_lines(file): return the file line by line", "sort numbers"])
    assert cosine(query, same) > cosine(query, other) + 0.2


def test_the_fingerprint_names_the_dimension_and_stays(embedder: Embedder) -> None:
    assert f"dimension={embedder.dimension}" in embedder.fingerprint
    assert embedder.fingerprint == embedder.fingerprint
    assert "\n" not in embedder.fingerprint


def test_fakes_of_two_dimensions_have_two_fingerprints() -> None:
    assert FakeEmbedder(8).fingerprint != FakeEmbedder(16).fingerprint


def test_the_fingerprint_says_what_the_vectors_depend_on(exact: SentenceTransformerEmbedder) -> None:
    name, weights, tokenizer, config, *rest = exact.fingerprint.split()
    assert name == MINILM
    assert len(weights.removeprefix("weights=")) == 16
    assert len(tokenizer.removeprefix("tokenizer=")) == len(config.removeprefix("config=")) == 8
    assert rest == [
        *("dimension=384", "pooling=mean", "tokens=256", "length=1", "metric=cosine", "precision=float32"),
        *('query=""', 'document=""'),
    ]


def test_two_engines_of_one_precision_can_share_an_index(
    minilm: SentenceTransformerEmbedder, onnx: OnnxEmbedder, onnx_int8: OnnxEmbedder
) -> None:
    texts = ["sort a list of numbers " * n for n in (1, 30, 200)] + [
        "def f(x):\n    return x",
        "",
        "🙂 [SEP]",
    ]
    assert onnx.fingerprint == minilm.fingerprint
    assert matrix(onnx, texts) == pytest.approx(matrix(minilm, texts), abs=1e-5)
    assert onnx_int8.fingerprint != minilm.fingerprint
    cosines = (matrix(onnx_int8, texts) * matrix(minilm, texts)).sum(axis=1)
    assert 0.97 < min(cosines) < 0.9999


def test_the_kits_other_embedder_takes_the_first_token_in_both_engines(
    files: HubCache, bge: OnnxEmbedder
) -> None:
    torch = SentenceTransformerEmbedder(BGE_SMALL, files)
    assert bge.fingerprint == torch.fingerprint
    assert " dimension=384 pooling=cls tokens=512 " in bge.fingerprint
    texts = ["def f(x):\n    return x", "sort a list of numbers " * 30]
    assert matrix(bge, texts) == pytest.approx(matrix(torch, texts), abs=1e-5)


def test_other_weights_have_another_fingerprint(make: Callable[..., Embedder], folder: Path) -> None:
    before = make(str(folder), HubCache(None)).fingerprint
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][0, 0] += 1
    save_file(weights, folder / "model.safetensors")
    assert make(str(folder), HubCache(None)).fingerprint != before


def test_prefixes_are_read_and_part_of_the_fingerprint(
    make: Callable[..., Embedder], files: HubCache, exact: Embedder
) -> None:
    prefixed = make(MINILM, files, query_prefix="query: ", document_prefix="passage:\n")
    assert 'query="query: " document="passage:\\n"' in prefixed.fingerprint
    text = "read a file line by line"
    query, document = exact.embed([f"query: {text}", f"passage:\n{text}"])
    assert list(prefixed.embed_query(text)) == pytest.approx(list(query), abs=1e-5)
    assert list(prefixed.embed([text])[0]) == pytest.approx(list(document), abs=1e-5)


def test_a_model_brings_its_own_prefixes(make: Callable[..., Embedder], folder: Path) -> None:
    named = '{"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "query"}'
    (folder / "config_sentence_transformers.json").write_text(named)
    assert make(str(folder), HubCache(None)).fingerprint.endswith('query="query: " document="passage: "')
    chosen = make(str(folder), HubCache(None), query_prefix="", document_prefix="")
    text = "read a file line by line"
    assert list(chosen.embed_query(text)) == pytest.approx(list(chosen.embed([text])[0]), abs=1e-6)


def test_what_is_beyond_the_maximum_is_not_read_but_counted(exact: SentenceTransformerEmbedder) -> None:
    assert exact.maximum_tokens == 256
    before = exact.overlong
    start = "word " * 254
    whole, cut, other = exact.embed([start, start + "sort numbers", "word " * 253 + "sort numbers"])
    assert list(whole) == pytest.approx(list(cut), abs=1e-6)
    assert list(whole) != pytest.approx(list(other), abs=1e-3)
    assert exact.overlong == before + 2


def test_text_never_becomes_a_special_token(exact: SentenceTransformerEmbedder | OnnxEmbedder) -> None:
    tokens = exact._tokens.read(["[SEP] [MASK]"])[0].ids if exact._tokens else []
    assert tokens.count(102) == 1  # the mark at the end
    assert 103 not in tokens
    if isinstance(exact, SentenceTransformerEmbedder):
        assert tokens == exact._model.preprocess(["[SEP] [MASK]"])["input_ids"][0].tolist()


def test_nothing_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    class Files:
        def arguments(self, name: str) -> dict[str, object]:
            raise AssertionError(name)

    assert SentenceTransformerEmbedder("no/model", Files()).embed([]) == ()
    assert OnnxEmbedder("no/model", Files(), tmp_path / "kept").embed([]) == ()
    assert OpenAiEmbedder("http://127.0.0.1:9/v1", "none").embed([]) == ()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda folder: folder / "missing", "M001"),
        (lambda folder: folder, "M002"),
        (lambda folder: broken(folder), "M002"),
    ],
    ids=["missing", "empty", "broken"],
)
def test_a_model_that_cannot_be_loaded_is_explained(
    make: Callable[..., Embedder], tmp_path: Path, prepare: Callable[[Path], Path], code: str
) -> None:
    embedder = make(str(prepare(tmp_path)), HubCache(None))
    with pytest.raises(ModelError) as refused:
        embedder.embed(["text"])
    assert refused.value.code == code
    assert refused.value.fix


def broken(folder: Path) -> Path:
    (folder / "config.json").write_text('{"model_type": "bert", "hidden_act": "gelu"}')
    (folder / "model.safetensors").write_bytes(b"not weights")
    return folder
