"""Running an ONNX model on a processor, one text at a time and several texts side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding

from .model_folder import first_line

_FED = {"input_ids": "ids", "token_type_ids": "type_ids", "attention_mask": "attention_mask"}
_NUMBERS = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}


class OnnxSession:
    """A loaded model.

    A text is a matrix of its own: nothing is filled up, and its output depends on nothing beside it. Threads
    share out the texts, which costs less than sharing out every matrix.

    Args:
        content: an ONNX file.
        output: which of its outputs is wanted, by the name it may have, the likeliest first.
        threads: how many texts at a time; None for ``OMP_NUM_THREADS``, or one a processor.

    Raises:
        ValueError: it is broken, or takes or gives something else.
    """

    def __init__(self, content: bytes, output: Sequence[str], threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # one would be kept for every length of a text
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=["SkipLayerNormFusion"],  # it is slower than what it fuses
            )
        except Exception as cause:  # its errors have nothing else in common
            raise ValueError(first_line(cause)) from cause
        self._inputs = {one.name: _NUMBERS.get(one.type) for one in self._session.get_inputs()}
        names = [one.name for one in self._session.get_outputs()]
        self.output = next((name for name in output if name in names), "")
        if not self.output or not set(self._inputs) <= set(_FED) or None in self._inputs.values():
            raise ValueError(f"it takes {', '.join(self._inputs)} and gives {', '.join(names)}")
        self._threads = threads or default_threads()

    def run(self, encodings: Sequence[Encoding]) -> list[NDArray[np.float32]]:
        """The output for each text, without the axis of texts, in the texts' order."""
        if self._threads == 1 or len(encodings) < 2:
            return [self._one(encoding) for encoding in encodings]
        order = sorted(range(len(encodings)), key=lambda place: -len(encodings[place]))
        with ThreadPoolExecutor(self._threads) as pool:
            outputs = dict(
                zip(order, pool.map(self._one, [encodings[place] for place in order]), strict=True)
            )
        return [outputs[place] for place in range(len(encodings))]

    def _one(self, encoding: Encoding) -> NDArray[np.float32]:
        fed = {
            name: np.array([getattr(encoding, _FED[name])], dtype=number)
            for name, number in self._inputs.items()
        }
        [outputs] = self._session.run([self.output], fed)
        output: NDArray[np.float32] = np.asarray(outputs)[0]
        return output


def default_threads() -> int:
    """``OMP_NUM_THREADS``, as other libraries read it, or as many as this process may use processors."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
