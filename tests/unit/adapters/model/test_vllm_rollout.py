"""Asked over HTTP, against a small server of our own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cesello.adapters.model.vllm_rollout import VllmRollout
from cesello.domain.errors import CeselloError, Interrupted, ModelError, RetryableError, UsageError
from cesello.domain.generation import Sampling
from tests.fakes.rollout import FakeRolloutEngine
from tests.fakes.run import FakeStop
from tests.rollout_server import RolloutServer, rollout_server

KEY = "sk-a-secret-of-the-test"
PROMPTS, SEEDS, SAMPLING = [[1, 2, 3], [4, 5]], [[7, 8], [9]], Sampling(8, 1.0)


@pytest.fixture
def served() -> Iterator[RolloutServer]:
    with rollout_server() as server:
        yield server


def save(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "weights").write_text("w1")


def engine(
    served: RolloutServer,
    folder: Path,
    *,
    stop: FakeStop | None = None,
    api_key_env: str | None = None,
    timeout: float = 30.0,
) -> VllmRollout:
    return VllmRollout(
        served.url, [0], save=save, folder=folder, stop=stop, api_key_env=api_key_env, timeout=timeout
    )


def completion(ids: str, log_probs: str) -> bytes:
    choice = f'{{"token_ids": {ids}, "logprobs": {{"token_logprobs": {log_probs}}}, "finish_reason": "stop"}}'
    return f'{{"choices": [{choice}]}}'.encode()


def test_ids_go_in_and_come_out(served: RolloutServer, tmp_path: Path) -> None:
    drawn = engine(served, tmp_path).generate(PROMPTS, SEEDS, SAMPLING)
    assert drawn == FakeRolloutEngine().generate(PROMPTS, SEEDS, SAMPLING)
    asked = served.bodies("completions")
    assert sorted((body["prompt"], body["seed"]) for body in asked) == [
        ([1, 2, 3], 7), ([1, 2, 3], 8), ([4, 5], 9),
    ]  # fmt: skip
    assert all(body["return_token_ids"] and body["logprobs"] == 0 for body in asked)
    assert all((body["top_k"], body["min_p"], body["repetition_penalty"]) == (-1, 0, 1) for body in asked)


def test_weights_are_given_anew_each_time_and_taken_back(served: RolloutServer, tmp_path: Path) -> None:
    rollouts = engine(served, tmp_path)
    for _ in range(2):
        rollouts.generate(PROMPTS, SEEDS, SAMPLING)
    names = [body["lora_name"] for body in served.bodies("load_lora_adapter")]
    assert len(set(names)) == 2
    assert {body["model"] for body in served.bodies("completions")} == set(names)
    assert served.held == 1
    assert not served.loaded
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("status", "code"), [(500, "T095"), (503, "T095"), (429, "T095"), (404, "M095"), (307, "M095")]
)
@pytest.mark.parametrize("path", ["load_lora_adapter", "completions", "unload_lora_adapter"])
def test_a_refusal_is_explained(
    served: RolloutServer, tmp_path: Path, status: int, code: str, path: str
) -> None:
    served.status, served.only = status, path
    with pytest.raises(CeselloError) as refused:
        engine(served, tmp_path).generate(PROMPTS, SEEDS, SAMPLING)
    assert refused.value.code == code
    assert isinstance(refused.value, RetryableError if code == "T095" else ModelError)
    assert f"status {status}" in str(refused.value)
    assert not list(tmp_path.iterdir())
    assert not any("elsewhere" in path for path, _, _ in served.seen)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no json", b"[]", b"[" * 100_000, b'{"choices": []}',
        b'{"choices": [{"text": "words alone", "finish_reason": "stop"}]}',
        completion("[]", "[]"), completion("[1, 2]", "[-1]"), completion("[-1]", "[-1]"),
        completion("[1]", "[NaN]"), completion("[1]", "[null]"), completion("[99999999999]", "[-1]"),
        completion("[1, 1, 1, 1, 1, 1, 1, 1, 1]", "[0, 0, 0, 0, 0, 0, 0, 0, 0]"),
    ],
)  # fmt: skip
def test_another_answer_is_refused(served: RolloutServer, tmp_path: Path, body: bytes) -> None:
    served.body = body
    with pytest.raises(ModelError) as refused:
        engine(served, tmp_path).generate(PROMPTS, SEEDS, SAMPLING)
    assert refused.value.code == "M095"
    assert "0.10.2" in str(refused.value)
    assert not served.loaded


def test_no_server_is_explained(tmp_path: Path) -> None:
    with rollout_server() as gone:
        pass
    with pytest.raises(RetryableError) as refused:
        engine(gone, tmp_path).generate(PROMPTS, SEEDS, SAMPLING)
    assert refused.value.code == "T095"


def test_a_slow_server_is_given_up(served: RolloutServer, tmp_path: Path) -> None:
    served.slow = 2.0
    with pytest.raises(RetryableError) as refused:
        engine(served, tmp_path, timeout=0.2).generate(PROMPTS, SEEDS, SAMPLING)
    assert refused.value.code == "T095"


def test_a_stop_does_not_wait_for_answers(served: RolloutServer, tmp_path: Path) -> None:
    served.slow = 5.0
    stop = FakeStop()
    timer = threading.Timer(0.2, stop.ask)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        engine(served, tmp_path, stop=stop).generate(PROMPTS, SEEDS, SAMPLING)
    assert time.monotonic() - began < 4
    timer.join()
    assert not list(tmp_path.iterdir())


def test_a_key_is_sent_and_never_shown(
    served: RolloutServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLOUT_KEY", KEY)
    rollouts = engine(served, tmp_path, api_key_env="ROLLOUT_KEY")
    rollouts.generate(PROMPTS, SEEDS, SAMPLING)
    assert {authorization for _, authorization, _ in served.seen} == {f"Bearer {KEY}"}
    served.status = 401
    with pytest.raises(ModelError) as refused:
        rollouts.generate(PROMPTS, SEEDS, SAMPLING)
    assert KEY not in str(refused.value)
    monkeypatch.delenv("ROLLOUT_KEY")
    with pytest.raises(UsageError) as missing:
        rollouts.generate(PROMPTS, SEEDS, SAMPLING)
    assert missing.value.code == "C095"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("ftp://here/v1", None), ("localhost:8000/v1", None), ("http:///v1", None),
        ("http://name:s3cret@localhost/v1", None), ("http://far.example/v1", "ROLLOUT_KEY"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused(tmp_path: Path, url: str, key: str | None) -> None:
    with pytest.raises(UsageError) as refused:
        VllmRollout(url, [0], save=save, folder=tmp_path, api_key_env=key)
    assert refused.value.code == "C094"
    assert "s3cret" not in str(refused.value)
