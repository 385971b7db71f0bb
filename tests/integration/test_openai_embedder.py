"""The embedder of a server against one that runs here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from cesello.adapters.memory.openai_embedder import OpenAiEmbedder
from cesello.domain.errors import CeselloError, ModelError, RetryableError, UsageError
from tests.embedding_server import EmbeddingService, embedding_service
from tests.fakes.memory import FakeEmbedder

KEY = "CESELLO_TEST_KEY"


def embedder(service: EmbeddingService, pauses: list[float] | None = None, **options: Any) -> OpenAiEmbedder:
    waited = pauses if pauses is not None else []
    return OpenAiEmbedder(service.url, "words", pause=waited.append, **options)


def error_of(service: EmbeddingService, **options: Any) -> CeselloError:
    with pytest.raises(CeselloError) as caught:
        embedder(service, **options).embed(["read a file"])
    return caught.value


def test_many_texts_go_in_batches_and_come_back_in_order() -> None:
    texts = [f"text {number} about {'files' * (number % 7)}" for number in range(300)]
    with embedding_service() as service:
        vectors = embedder(service).embed(texts)
        sizes = [len(body["input"]) for _, body in service.seen]
    assert np.array(vectors) == pytest.approx(np.array(FakeEmbedder().embed(texts)))
    assert sorted(sizes) == [44, 64, 64, 64, 64]


def test_long_texts_go_in_smaller_batches() -> None:
    with embedding_service() as service:
        embedder(service).embed(["word " * 8_000] * 7)
        assert sorted(len(body["input"]) for _, body in service.seen) == [1, 2, 2, 2]


def test_prefixes_go_before_the_texts() -> None:
    with embedding_service() as service:
        made = embedder(service, query_prefix="query: ", document_prefix="passage: ")
        made.embed_query("read")
        made.embed(["a file", " "])
        assert [body["input"] for _, body in service.seen] == [
            ["query: read"],
            ["passage: a file", "passage: ."],
        ]


def test_the_fingerprint_names_model_served_model_and_dimension() -> None:
    with embedding_service() as service:
        made = embedder(service)
        assert made.fingerprint.startswith("words served=words-v1 dimension=64 ")
        fewer = embedder(service, dimension=16)
        assert fewer.dimension == len(fewer.embed_query("read")) == 16
        assert service.seen[-1][1]["dimensions"] == 16
        assert fewer.fingerprint != made.fingerprint


def test_another_dimension_than_asked_for_or_than_before_is_refused() -> None:
    with embedding_service() as service:
        made = embedder(service)
        made.embed(["read"])
        service.dimension = 32
        with pytest.raises(ModelError, match="32 numbers of words-v1 -> expected 64 numbers of words-v1"):
            made.embed(["read"])
        service.body = {"data": [{"index": 0, "embedding": [1.0] * 64}], "model": "words-v1"}
        assert error_of(service, dimension=16).code == "M090"


def test_a_busy_server_is_asked_again_with_growing_pauses() -> None:
    pauses: list[float] = []
    with embedding_service(failures=[503, 429]) as service:
        assert len(embedder(service, pauses).embed(["read a file"])) == 1
    assert pauses == [0.5, 1.0]


def test_a_server_says_how_long_to_wait() -> None:
    pauses: list[float] = []
    with embedding_service(failures=[429, 429], headers={"Retry-After": "7"}) as service:
        embedder(service, pauses).embed(["read a file"])
    assert pauses == [7.0, 7.0]


def test_a_server_that_stays_busy_or_is_away_can_be_tried_later() -> None:
    with embedding_service(failures=[500] * 5) as service:
        busy = error_of(service)
        assert not service.failures
    away = error_of(service)
    assert isinstance(busy, RetryableError)
    assert isinstance(away, RetryableError)
    assert (busy.code, busy.got, away.code) == ("T090", "status 500", "T090")


@pytest.mark.parametrize("status", [302, 401, 404])
def test_a_server_that_refuses_is_not_asked_again(status: int) -> None:
    with embedding_service(failures=[status] * 3, headers={"Location": "/v1/embeddings"}) as service:
        error = error_of(service)
        assert len(service.seen) == 1
    assert (error.code, error.got) == ("M090", f"status {status}")


def test_a_text_that_is_too_long_is_cut_and_counted() -> None:
    with embedding_service(most=1_000) as service:
        made = embedder(service)
        vectors = made.embed(["read", "file " * 1_500, "sort"])
        assert made.overlong == 1
    assert np.array(vectors) == pytest.approx(
        np.array(FakeEmbedder().embed(["read", "file", "sort"])), abs=0.01
    )


def test_a_server_that_refuses_whatever_it_is_sent_is_given_up() -> None:
    with embedding_service(failures=[400] * 100) as service:
        with pytest.raises(ModelError) as caught:
            embedder(service, workers=1).embed(["read a file " * 40] * 64)
        assert len(service.seen) < 15
    assert (caught.value.code, caught.value.got) == ("M090", "status 400")


def vectors(*rows: object, indices: tuple[int, ...] = (0,)) -> dict[str, object]:
    return {"data": [{"index": index, "embedding": row} for index, row in zip(indices, rows, strict=False)]}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[" * 100_000,
        {},
        {"data": None},
        {"data": []},
        vectors([1.0], [1.0], indices=(0, 1)),
        vectors([1.0], indices=(1,)),
        vectors([]),
        vectors([0.0, 0.0]),
        vectors(["one"]),
        vectors("text"),
        vectors(None),
        b'{"data": [{"index": 0, "embedding": [NaN]}]}',
        b'{"data": [{"index": 0, "embedding": [1e999]}]}',
    ],
    ids=repr,
)
def test_what_is_no_embedding_is_refused(body: object) -> None:
    with embedding_service(body=body) as service:
        assert error_of(service).code == "M090"


def test_the_key_is_read_when_it_is_needed_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with embedding_service() as service:
        made = OpenAiEmbedder(service.url, "words", api_key_env=KEY)
        with pytest.raises(UsageError) as missing:
            made.embed_query("read")
        monkeypatch.setenv(KEY, "sesame")
        made.embed_query("read")
        assert [key for key, _ in service.seen] == ["Bearer sesame"]
        service.failures = [401]
        with pytest.raises(ModelError) as refused:
            made.embed_query("read")
    assert missing.value.code == "C089"
    assert KEY in str(missing.value)
    assert "sesame" not in str(refused.value) + made.fingerprint


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("ftp://localhost/v1", None),
        ("localhost:8000", None),
        ("http://", None),
        ("http://me:secret@localhost/v1", None),
        ("http://example.org/v1", KEY),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_once(url: str, key: str | None) -> None:
    with pytest.raises(UsageError) as refused:
        OpenAiEmbedder(url, "words", api_key_env=key)
    assert refused.value.code == "C088"
    assert "secret" not in str(refused.value)


def test_what_is_sent_is_what_openai_documents() -> None:
    with embedding_service() as service:
        embedder(service).embed(["a \udcff name"])
        [(_, body)] = service.seen
    assert json.loads(json.dumps(body)) == {
        "model": "words",
        "input": ["a ? name"],
        "encoding_format": "float",
    }
