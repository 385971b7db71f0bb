"""How fast texts could be embedded in float32 here, were nothing computed but the products of matrices.

The texts are those of ``benchmarks/remembering.py``: 60 files cut by cesello, and by LangChain's splitter,
whose texts sentence-transformers fills up to the longest of 32, the longest texts first. Of each side: the
tokens that go through the model, their floating-point operations, and the seconds these take at the rate of
one large product. Then what the model takes for some of cesello's texts, by ONNX Runtime as cesello runs it.

    OMP_NUM_THREADS=1 python -m benchmarks.embedding_roofline
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.peers.remembering_sides import MINILM
from benchmarks.remembering import PEERS, copied
from benchmarks.sft_vs_trl import RESULTS, machine
from cesello.adapters.memory.onnx_files import OnnxFiles
from cesello.adapters.memory.onnx_session import OnnxSession
from cesello.adapters.memory.text_tokens import folder_tokens
from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.chunk_text import code_words, embedding_text
from cesello.domain.document import SourceFile
from cesello.entrypoints.home import home

FILES, MAXIMUM, READ, FILLED = 60, 900, 256, 32
EVERY, ROUNDS = 26, 7


def operations(tokens: float, config: Mapping[str, Any]) -> float:
    """Of the products of one text, a multiplication and an addition as two.

    In each layer four matrices of attention, hidden x hidden, and two of the feed-forward part, hidden x
    inner, meet every token; every token meets every other twice.
    """
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    matrices = 2 * tokens * (4 * hidden**2 + 2 * hidden * inner)
    return float(config["num_hidden_layers"] * (matrices + 4 * tokens**2 * hidden))


def fastest_product() -> float:
    """Operations a second of ONNX Runtime's own product, on the shapes of the model's largest."""
    rows, inner, columns = READ, 384, 1_536
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [rows, inner]), ("y", [rows, columns]))
    ]
    weight = numpy_helper.from_array(np.random.rand(inner, columns).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "product", shapes[:1], shapes[1:], [weight]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    running = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fed = {"x": np.random.rand(rows, inner).astype(np.float32)}
    times = taken(lambda: [running.run(None, fed) for _ in range(100)], 50)
    return 100 * 2 * rows * inner * columns / min(times)


def taken(call: Callable[[], Any], rounds: int) -> list[float]:
    """Processor seconds of each round, but for one before them."""
    call()
    times = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return times


def own_texts(files: Sequence[Path]) -> list[str]:
    chunker = TreeSitterChunker(MAXIMUM)
    chunks = (chunk for file in files for chunk in chunker.chunk(SourceFile(file.name, file.read_bytes())))
    return list(map(code_words, dict.fromkeys(map(embedding_text, chunks))))


def langchain_texts(files: Sequence[Path]) -> list[str]:
    sys.path.append(str(PEERS))
    library: Any = import_module("langchain_text_splitters")
    splitter = library.RecursiveCharacterTextSplitter.from_language(
        library.Language.PYTHON, chunk_size=MAXIMUM, chunk_overlap=0
    )
    return [text for file in files for text in splitter.split_text(file.read_text("utf-8", "replace"))]


def filled_up(texts: Sequence[str], lengths: Sequence[int]) -> Iterator[int]:
    """Tokens of each text, as sentence-transformers fills them up."""
    order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
    for start in range(0, len(order), FILLED):
        part = [lengths[place] for place in order[start : start + FILLED]]
        yield from [max(part)] * len(part)


def main() -> None:
    files = OnnxFiles(MINILM, HubCache(home() / "hub"), home() / "onnx", "float32")
    tokens = folder_tokens(files.folder, READ)
    with tempfile.TemporaryDirectory() as folder:
        copied(FILES, Path(folder))
        paths = sorted(Path(folder).rglob("*.py"))
        texts = {"cesello": own_texts(paths), "langchain": langchain_texts(paths)}
    read = {side: tokens.read(found) for side, found in texts.items()}
    lengths = {side: [len(one) for one in found] for side, found in read.items()}
    lengths["langchain"] = list(filled_up(texts["langchain"], lengths["langchain"]))
    rate = fastest_product()
    part = read["cesello"][::EVERY]
    running = OnnxSession(files.content(), ("last_hidden_state",), threads=1)
    milliseconds = 1e3 * median(taken(lambda: running.run(part), ROUNDS)) / len(part)
    needed = sum(operations(len(one), files.config) for one in part) / rate / len(part)
    result: dict[str, Any] = {
        "machine": machine(),
        "GFLOP/s of a product": round(rate / 1e9, 1),
        "sides": {},
        "ms a text": round(milliseconds, 2),
        "ms a text of products alone": round(1e3 * needed, 2),
    }
    for side, found in lengths.items():
        work = sum(operations(one, files.config) for one in found)
        result["sides"][side] = {
            "texts": len(found),
            "tokens": sum(found),
            "GFLOP": round(work / 1e9),
            "seconds of products alone": round(work / rate, 1),
        }
    print(json.dumps(result, indent=2))
    (RESULTS / "embedding-roofline.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
