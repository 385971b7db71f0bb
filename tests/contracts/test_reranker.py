from __future__ import annotations

from pathlib import Path

import pytest

from cesello.adapters.memory.cross_encoder_reranker import CrossEncoderReranker
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.errors import ModelError
from cesello.domain.ports.memory import Reranker
from tests.fakes.memory import FakeReranker

MINILM = "cross-encoder/ms-marco-MiniLM-L-12-v2"


@pytest.fixture(scope="module")
def minilm(kit_home: Path) -> CrossEncoderReranker:
    return CrossEncoderReranker(MINILM, HubCache(kit_home / "hub"))


@pytest.fixture(params=["fake", "minilm"])
def reranker(request: pytest.FixtureRequest) -> Reranker:
    made: Reranker = FakeReranker() if request.param == "fake" else request.getfixturevalue("minilm")
    return made


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


def test_the_logit_of_ms_marco_becomes_its_sigmoid(minilm: CrossEncoderReranker) -> None:
    panda, code = minilm.score("what is a panda", ["The giant panda is a bear.", "def f(): return 1"])
    assert panda > 0.99
    assert code < 0.01


def test_text_never_becomes_a_special_token(minilm: CrossEncoderReranker) -> None:
    tokens = minilm._model.preprocess([("a [SEP]", "b [SEP]")])["input_ids"][0].tolist()
    assert tokens.count(102) == 2  # the marks after query and text


def test_nothing_is_loaded_before_it_is_needed() -> None:
    class Files:
        def arguments(self, name: str) -> dict[str, object]:
            raise AssertionError(name)

    assert CrossEncoderReranker("no/model", Files()).score("query", []) == ()


def test_a_model_without_a_trained_head_is_refused(kit_home: Path) -> None:
    reranker = CrossEncoderReranker("sentence-transformers/all-MiniLM-L6-v2", HubCache(kit_home / "hub"))
    with pytest.raises(ModelError, match="not made to rerank") as refused:
        reranker.score("query", ["text"])
    assert refused.value.code == "M030"


def test_a_model_that_is_not_there_is_explained(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(str(tmp_path), HubCache(None))
    with pytest.raises(ModelError) as refused:
        reranker.score("query", ["text"])
    assert refused.value.code == "M002"
