"""Completions drawn by a vLLM server, which is given the LoRA weights anew before each batch.

The server needs LoRA (``--enable-lora``), leave to load it while it runs
(``VLLM_ALLOW_RUNTIME_LORA_UPDATING=1``) and to see the folder it is saved in; it runs on the same machine, or
shares a file system. Tokens go in and come out as ids, and nothing is tokenised again. Its log-probabilities
are those of its own arithmetic, in another format than the training's and in kernels that depend on what else
is computed: the training corrects for the difference. At other temperatures than 1 it has to be started with
``--logprobs-mode processed_logprobs``. The same seeds give the same tokens as far as vLLM promises it, which
across batches it does not.
"""

from __future__ import annotations

import json
import math
import shutil
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...domain.errors import CeselloError
from ...domain.generation import Sampling
from ...domain.ports.run import Stop
from ...domain.rollout import Rollout
from .json_server import JsonServer

_LOOK = 0.2
"""Seconds between two looks at whether to stop."""


class VllmRollout:
    """Asks for each completion by itself, many at a time.

    Args:
        url: with the version, such as ``http://localhost:8000/v1``.
        ends: tokens that end a completion.
        save: writes the LoRA weights as they are now, in the PEFT layout, into a folder.
        folder: where the server looks for them; what is put there is removed again.
        workers: requests at a time; the server batches them.
        stop: is asked while answers are waited for.
        api_key_env, timeout: see ``JsonServer``.

    Raises:
        UsageError: C094 when the url cannot be used.
    """

    def __init__(
        self,
        url: str,
        ends: Sequence[int],
        *,
        save: Callable[[Path], None],
        folder: Path,
        stop: Stop | None = None,
        workers: int = 64,
        api_key_env: str | None = None,
        timeout: float = 600.0,
    ) -> None:
        self._server = JsonServer(url, api_key_env=api_key_env, timeout=timeout)
        self._ends = list(ends)
        self._save = save
        self._folder = folder
        self._stop = stop
        self._workers = workers

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        limits: Sequence[int] | None = None,
    ) -> list[list[Rollout]]:
        """See the port.

        Raises:
            UsageError: C095 when the environment variable of the key is not set.
            ModelError: M095 when the server refuses, or answers something else.
            RetryableError: T095 when it cannot be reached or is busy.
        """
        room = limits or [sampling.max_new_tokens] * len(prompts)
        asked = zip(prompts, seeds, room, strict=True)
        wanted = [(list(prompt), seed, most) for prompt, its, most in asked for seed in its]
        with self._loaded() as name:
            drawn = iter(self._all(name, wanted, sampling))
        return [[next(drawn) for _ in its] for its in seeds]

    @contextmanager
    def _loaded(self) -> Iterator[str]:
        """The name by which the server knows the weights of now; nobody has used it before."""
        name = f"cesello-{uuid4().hex}"
        folder = self._folder / name
        is_new = not self._folder.exists()
        try:
            self._save(folder)
            self._server.post("/load_lora_adapter", {"lora_name": name, "lora_path": str(folder.absolute())})
            try:
                yield name
            except BaseException:
                with suppress(CeselloError):  # there is a better reason to fail than this one
                    self._unload(name)
                raise
            self._unload(name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if is_new:
                with suppress(OSError):  # something else is in it
                    self._folder.rmdir()

    def _unload(self, name: str) -> None:
        self._server.post("/unload_lora_adapter", {"lora_name": name})

    def _all(
        self, name: str, wanted: Sequence[tuple[list[int], int, int]], sampling: Sampling
    ) -> list[Rollout]:
        pool = ThreadPoolExecutor(self._workers)
        try:
            asked = [pool.submit(self._ask, name, *one, sampling) for one in wanted]
            self._wait(asked)
            return [answer.result() for answer in asked]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self._server.give_up()
            raise
        finally:
            pool.shutdown()

    def _wait(self, asked: Sequence[Future[Rollout]]) -> None:
        """Until all are there or one has failed; raises when a stop is requested."""
        left: Any = asked
        while left:
            if self._stop is not None:
                self._stop.check()
            done, left = wait(left, _LOOK, FIRST_EXCEPTION)
            for one in done:
                one.result()

    def _ask(self, name: str, prompt: list[int], seed: int, most: int, sampling: Sampling) -> Rollout:
        body = {
            "model": name,
            "prompt": prompt,
            "max_tokens": most,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed % 2**63,
            "stop_token_ids": self._ends,
            "logprobs": 0,
            "return_token_ids": True,
            # Else what the model's folder advises would come in.
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }
        return self._rollout(self._server.post("/completions", body), most)

    def _rollout(self, answer: bytes, most: int) -> Rollout:
        try:
            choice = json.loads(answer)["choices"][0]
            ids = array("i", choice["token_ids"])
            log_probs = array("f", choice["logprobs"]["token_logprobs"])
            finished = choice["finish_reason"] == "stop"
            if not 0 < len(ids) == len(log_probs) <= most or min(ids) < 0:
                raise ValueError
            if not all(map(math.isfinite, log_probs)):
                raise ValueError
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
            expected = "choices[0] with as many token_ids as logprobs.token_logprobs; vLLM 0.10.2 or newer"
            raise self._server.answers_wrongly(f"{len(answer)} bytes", expected) from None
        return Rollout(ids, log_probs, finished)
