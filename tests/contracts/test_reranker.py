from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cesello.adapters.memory.cross_encoder_reranker import CrossEncoderReranker
from cesello.adapters.memory.onnx_reranker import OnnxReranker
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.errors import ModelError
from cesello.domain.ports.memory import Reranker
from tests.fakes.memory import FakeReranker

MINILM = "cross-encoder/ms-marco-MiniLM-L-12-v2"


@pytest.fixture(scope="module")
def minilm(kit_home: Path) -> CrossEncoderReranker:
    return CrossEncoderReranker(MINILM, HubCache(kit_home / "hub"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture(scope="module")
def onnx(kit_home: Path, kept: Path) -> OnnxReranker:
    return OnnxReranker(MINILM, HubCache(kit_home / "hub"), kept, threads=2)


@pytest.fixture(scope="module")
def onnx_int8(kit_home: Path, kept: Path) -> OnnxReranker:
    return OnnxReranker(MINILM, HubCache(kit_home / "hub"), kept, precision="int8")


@pytest.fixture(params=["fake", "minilm", "onnx", "onnx_int8"])
def reranker(request: pytest.FixtureRequest) -> Reranker:
    made: Reranker = FakeReranker() if request.param == "fake" else request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["minilm", "onnx", "onnx_int8"])
def trained(request: pytest.FixtureRequest) -> Reranker:
    made: Reranker = request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["minilm", "onnx"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, HubCache], Reranker]:
    if request.param == "minilm":
        return CrossEncoderReranker
    return lambda name, files: OnnxReranker(name, files, tmp_path / "kept")


def test_an_answer_scores_more_than_another_text(reranker: Reranker) -> None:
    texts = ["sort numbers in place", "# Function: read_lines\nread a file line by line", "close the socket"]
    scores = reranker.score("how to read a file line by line", texts)
    assert scores[1] > max(scores[0], scores[2]) + 0.3


def test_scores_are_probabilities_of_any_text(reranker: Reranker) -> None:
    for query in ("", "word " * 1_000, "\udcff"):
        scores = reranker.score(query, ["", "\0", "🙂", "word " * 1_000, "name \udcff"])
        assert len(scores) == 5
        assert all(0 <= score <= 1 for score in scores)


def test_no_texts_have_no_scores(reranker: Reranker) -> None:
    assert reranker.score("read a file", []) == ()


def test_a_score_depends_on_its_text_alone(reranker: Reranker) -> None:
    texts = ["sort numbers " * n for n in (20, 1, 5)] + ["read a file"]
    together = reranker.score("read a file", texts)
    alone = [reranker.score("read a file", [text])[0] for text in texts]
    assert list(together) == pytest.approx(alone, abs=1e-5)
    assert reranker.score("read a file", texts) == together


def test_the_logit_of_ms_marco_becomes_its_sigmoid(trained: Reranker) -> None:
    panda, code = trained.score("what is a panda", ["The giant panda is a bear.", "def f(): return 1"])
    assert panda > 0.99
    assert code < 0.01


def test_a_fingerprint_is_of_the_model_and_how_it_is_read(
    minilm: CrossEncoderReranker, onnx: OnnxReranker, onnx_int8: OnnxReranker, kit_home: Path, kept: Path
) -> None:
    files = HubCache(kit_home / "hub")
    others = (CrossEncoderReranker(MINILM, files, tokens=24), OnnxReranker(MINILM, files, kept, tokens=24))
    prints = [one.fingerprint for one in (minilm, onnx, onnx_int8, *others)]
    assert len(set(prints)) == 5
    assert not any("\n" in one for one in prints)
    assert onnx.fingerprint == OnnxReranker(MINILM, files, kept / "elsewhere").fingerprint


def test_engines_agree(minilm: CrossEncoderReranker, onnx: OnnxReranker, onnx_int8: OnnxReranker) -> None:
    query = "how to read a file line by line"
    texts = ["for line in open(name): yield line", "sort numbers", "", "read lines of a file " * 100]
    scores = minilm.score(query, texts)
    assert onnx.score(query, texts) == pytest.approx(scores, abs=1e-4)
    assert onnx_int8.score(query, texts) == pytest.approx(scores, abs=0.1)
    assert onnx_int8.score(query, texts) != onnx.score(query, texts)


def test_text_never_becomes_a_special_token(minilm: CrossEncoderReranker, onnx: OnnxReranker) -> None:
    [read] = onnx._reader.read_pairs("a [SEP]", ["b [SEP]"])
    assert read.ids.count(102) == 2  # the marks after query and text
    assert read.ids == minilm._model.preprocess([("a [SEP]", "b [SEP]")])["input_ids"][0].tolist()


def test_what_is_beyond_the_maximum_is_not_read(kit_home: Path, kept: Path) -> None:
    files = HubCache(kit_home / "hub")
    start = "sort numbers " * 20
    for short in (
        CrossEncoderReranker(MINILM, files, tokens=24),
        OnnxReranker(MINILM, files, kept, tokens=24),
    ):
        first, second, third = short.score(
            "read a file", [start, start + "read a file", "read a file " + start]
        )
        assert first == pytest.approx(second, abs=1e-7)
        assert third > first


def test_nothing_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    class Files:
        def arguments(self, name: str) -> dict[str, object]:
            raise AssertionError(name)

    assert CrossEncoderReranker("no/model", Files()).score("query", []) == ()
    assert OnnxReranker("no/model", Files(), tmp_path / "kept").score("query", []) == ()


def test_a_model_without_a_trained_head_is_refused(
    make: Callable[[str, HubCache], Reranker], kit_home: Path
) -> None:
    reranker = make("sentence-transformers/all-MiniLM-L6-v2", HubCache(kit_home / "hub"))
    with pytest.raises(ModelError, match="not made to rerank") as refused:
        reranker.score("query", ["text"])
    assert refused.value.code == "M030"


def test_a_model_that_is_not_there_is_explained(
    make: Callable[[str, HubCache], Reranker], tmp_path: Path
) -> None:
    for name, code in ((str(tmp_path), "M002"), (str(tmp_path / "missing"), "M001")):
        with pytest.raises(ModelError) as refused:
            make(name, HubCache(None)).score("query", ["text"])
        assert refused.value.code == code
