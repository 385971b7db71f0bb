from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from cesello.adapters.memory.sentence_transformer_embedder import SentenceTransformerEmbedder
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.errors import ModelError
from cesello.domain.ports.memory import Embedder
from tests.fakes.memory import FakeEmbedder

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def minilm(kit_home: Path) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(MINILM, HubCache(kit_home / "hub"))


@pytest.fixture(params=["fake", "minilm"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    made: Embedder = FakeEmbedder() if request.param == "fake" else request.getfixturevalue("minilm")
    return made


def cosine(a: object, b: object) -> float:
    assert isinstance(a, list | tuple)
    assert isinstance(b, list | tuple)
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def test_a_vector_has_the_dimension_and_length_one(embedder: Embedder) -> None:
    for vector in embedder.embed(
        ["def f(): return 1", "", " ", "\0", "🙂" * 50, "name \udcff", "word " * 5_000]
    ):
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


def test_texts_about_one_thing_are_nearer(embedder: Embedder) -> None:
    query, same, other = embedder.embed(
        ["read a file line by line", "def read_lines(file): return the file line by line", "sort numbers"]
    )
    assert cosine(query, same) > cosine(query, other) + 0.2


def test_the_fingerprint_names_the_dimension_and_stays(embedder: Embedder) -> None:
    assert f"dimension={embedder.dimension}" in embedder.fingerprint
    assert embedder.fingerprint == embedder.fingerprint


def test_fakes_of_two_dimensions_have_two_fingerprints() -> None:
    assert FakeEmbedder(8).fingerprint != FakeEmbedder(16).fingerprint


def test_the_fingerprint_says_what_the_vectors_depend_on(minilm: SentenceTransformerEmbedder) -> None:
    name, weights, *rest = minilm.fingerprint.split()
    assert name == MINILM
    assert len(weights.removeprefix("weights=")) == 16
    assert rest == ["dimension=384", "pooling=mean", "tokens=256", "length=1"]


def test_other_weights_have_another_fingerprint(minilm: SentenceTransformerEmbedder, kit_home: Path) -> None:
    other = SentenceTransformerEmbedder(MINILM, HubCache(kit_home / "hub"))
    next(other._model.parameters()).data[0, 0] += 1
    assert other.fingerprint != minilm.fingerprint


def test_what_is_beyond_the_maximum_is_not_read(minilm: SentenceTransformerEmbedder) -> None:
    assert minilm.maximum_tokens == 256
    start = "word " * 254
    vectors = minilm.embed([start, start + "sort numbers", "word " * 253 + "sort numbers"])
    assert list(vectors[0]) == pytest.approx(list(vectors[1]), abs=1e-6)
    assert list(vectors[0]) != pytest.approx(list(vectors[2]), abs=1e-3)


def test_text_never_becomes_a_special_token(minilm: SentenceTransformerEmbedder) -> None:
    tokens = minilm._model.preprocess(["[SEP] [MASK]"])["input_ids"][0].tolist()
    assert tokens.count(102) == 1  # the mark at the end
    assert 103 not in tokens


def test_nothing_is_loaded_before_it_is_needed() -> None:
    class Files:
        def arguments(self, name: str) -> dict[str, object]:
            raise AssertionError(name)

    SentenceTransformerEmbedder("no/model", Files())


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
    tmp_path: Path, prepare: Callable[[Path], Path], code: str
) -> None:
    embedder = SentenceTransformerEmbedder(str(prepare(tmp_path)), HubCache(None))
    with pytest.raises(ModelError) as refused:
        embedder.embed(["text"])
    assert refused.value.code == code
    assert refused.value.fix


def broken(folder: Path) -> Path:
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "model.safetensors").write_bytes(b"not weights")
    return folder
