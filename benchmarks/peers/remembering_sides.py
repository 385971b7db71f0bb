"""The sides of ``benchmarks/remembering.py``: a job as JSON comes in, a line of JSON goes out."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles
from typing import Any

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
QUESTIONS = (
    "How is a JSON document parsed?", "retry a request with backoff", "where are options declared",
    "convert a datetime to UTC", "open a socket with TLS", "read a file line by line", "ImportError",
    "class for an HTTP response", "compile a regular expression", "cache the results of a function",
    "escape HTML in a template", "compute the gradient of a loss", "write bytes to a temporary file",
    "lock shared between threads", "validate the type of a field", "list the files of a folder",
)  # fmt: skip


def cesello(job: dict[str, Any]) -> dict[str, Any]:
    """The product, as the commands call it."""
    if job["part"] == "indexing":
        return _cesello_indexes(job)
    return _cesello_asks(job) if job["part"] == "asking" else _cesello_grows(job)


def _container(job: dict[str, Any], *changes: str) -> Any:
    from cesello import load_memory, memory_container

    root = Path(job["store"])
    root.mkdir(parents=True, exist_ok=True)
    return memory_container(load_memory(None, changes, at=root))


def _cesello_indexes(job: dict[str, Any]) -> dict[str, Any]:
    from cesello import RememberRequest

    precision = "int8" if job["side"].endswith("int8") else "float32"
    container = _container(job, "memory.exact_below=0", f"memory.embedder.precision={precision}")
    container.embedder().embed(["warm"])
    remember = container.remember()
    figures = timed(lambda: remember(RememberRequest((job["files"],))))
    done = figures.pop("result")
    first = sorted(Path(job["files"]).rglob("*.py"))[7]
    before = first.read_text("utf-8", "surrogateescape")
    first.write_text(before + "\n\ndef added(number):\n    return number + 1\n", "utf-8", "surrogateescape")
    again = timed(lambda: remember(RememberRequest()))
    first.write_text(before, "utf-8", "surrogateescape")
    assert again.pop("result").changed == 1
    return {**figures, "chunks": done.chunks, "again cpu": again["cpu"], "again clock": again["clock"]}


def llama_index(job: dict[str, Any]) -> dict[str, Any]:
    """LlamaIndex as its pages show it: an ingestion into a Chroma vector store."""
    import chromadb

    core: Any = import_module("llama_index.core")
    parsers: Any = import_module("llama_index.core.node_parser")
    stores: Any = import_module("llama_index.vector_stores.chroma")
    embeddings: Any = import_module("llama_index.embeddings.huggingface")
    tree_sitter: Any = import_module("tree_sitter")
    python: Any = import_module("tree_sitter_python")
    parser = tree_sitter.Parser(tree_sitter.Language(python.language()))
    splitter = parsers.CodeSplitter(language="python", max_chars=900, parser=parser)
    model = embeddings.HuggingFaceEmbedding(model_name=_folder(), embed_batch_size=32, device="cpu")
    model.get_text_embedding("warm")
    collection = chromadb.PersistentClient(job["store"]).create_collection("code")
    context = core.StorageContext.from_defaults(
        vector_store=stores.ChromaVectorStore(chroma_collection=collection)
    )

    def index() -> int:
        documents = core.SimpleDirectoryReader(
            job["files"], recursive=True, required_exts=[".py"]
        ).load_data()
        nodes = splitter.get_nodes_from_documents(documents)
        core.VectorStoreIndex(nodes, storage_context=context, embed_model=model)
        return len(nodes)

    figures = timed(index)
    return {**figures, "chunks": figures.pop("result")}


def langchain(job: dict[str, Any]) -> dict[str, Any]:
    """LangChain as its pages show it: a splitter for Python and Chroma's class."""
    splitters: Any = import_module("langchain_text_splitters")
    chroma: Any = import_module("langchain_chroma")
    embeddings: Any = import_module("langchain_huggingface")
    documents: Any = import_module("langchain_core.documents")
    model = embeddings.HuggingFaceEmbeddings(model_name=_folder(), model_kwargs={"device": "cpu"})
    model.embed_query("warm")
    splitter = splitters.RecursiveCharacterTextSplitter.from_language(
        splitters.Language.PYTHON, chunk_size=900, chunk_overlap=0
    )
    store = chroma.Chroma("code", embedding_function=model, persist_directory=job["store"])

    def index() -> int:
        read = [
            documents.Document(path.read_text("utf-8", "replace"), metadata={"source": str(path)})
            for path in sorted(Path(job["files"]).rglob("*.py"))
        ]
        parts = splitter.split_documents(read)
        for start in range(0, len(parts), 5_000):
            store.add_documents(parts[start : start + 5_000])
        return len(parts)

    figures = timed(index)
    return {**figures, "chunks": figures.pop("result")}


def _folder() -> str:
    """The model's folder, which every side reads."""
    from cesello.entrypoints.home import home
    from cesello.entrypoints.kit_wiring import build_model_files

    place = build_model_files(home()).arguments(MINILM)
    from huggingface_hub import snapshot_download

    return str(snapshot_download(MINILM, cache_dir=place.get("cache_dir"), local_files_only=True))


class MadeUp:
    """Vectors out of a text's hash, in no time; questions by the real embedder."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.fingerprint, self.dimension, self.overlong = real.fingerprint, real.dimension, 0
        self.embed_query = real.embed_query

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        import numpy as np

        seeds = [
            int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")
            for text in texts
        ]
        rows = np.stack([np.random.default_rng(seed).standard_normal(self.dimension) for seed in seeds])
        return [list(row) for row in rows / np.linalg.norm(rows, axis=1, keepdims=True)]


def _filled(job: dict[str, Any], *changes: str) -> tuple[Any, list[tuple[int, float]]]:
    """A memory with so many chunks, of files made of installed packages; and the memory taken on the way."""
    from dependency_injector import providers

    from benchmarks.remembering import files_of
    from cesello import RememberRequest

    container = _container(job, *changes)
    container.embedder.override(providers.Object(MadeUp(container.embedder())))
    folder = Path(job["store"], "files")
    taken = []
    for round_ in range(1_000):
        part = folder / f"round_{round_:03}"
        part.mkdir(parents=True)
        for number, path in enumerate(files_of(2_000)):
            # The same files again and again, each time with other texts.
            text = (
                path.read_text("utf-8", "replace")
                .replace("self", f"self_{round_}")
                .replace("def ", f"def r{round_}_")
            )
            (part / f"{path.stem}_{number}.py").write_text(text, "utf-8", "replace")
            if number % 500 == 499:
                container.remember()(RememberRequest((str(folder),)))
                state = container.chunk_store().state()
                taken.append((state.texts, resident()))
                print(state.texts, taken[-1], file=sys.stderr)
                if state.texts >= job["chunks"]:
                    return container, taken
    raise AssertionError


def _cesello_asks(job: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import replace

    from cesello import AskRequest

    found: dict[str, Any] = {}
    for index, below in (("exact", 10**9), ("chroma", 0)):
        part = {**job, "store": f"{job['store']}/{index}"}
        container, _ = _filled(part, f"memory.exact_below={below}")
        ask = container.ask()
        for name, rerank in (("no reranker", False), ("reranked", True)):
            clock, cpu = [], []
            for question in [*QUESTIONS[:3], *QUESTIONS, *QUESTIONS]:
                request = replace(AskRequest(question), rerank=rerank)
                began = time.perf_counter(), time.process_time()
                answer = ask(request)
                clock.append(time.perf_counter() - began[0])
                cpu.append(time.process_time() - began[1])
                assert answer.exact == (index == "exact")
            found[f"{index}, {name}"] = {
                "p50 clock ms": round(1e3 * median(clock[3:]), 1),
                "p95 clock ms": round(1e3 * quantiles(clock[3:], n=20)[-1], 1),
                "p50 cpu ms": round(1e3 * median(cpu[3:]), 1),
            }
        found["chunks"] = container.chunk_store().state().texts
    return found


def _cesello_grows(job: dict[str, Any]) -> dict[str, Any]:
    _, taken = _filled(job, "memory.exact_below=0")
    return {
        "MiB at so many texts": {str(texts): round(size) for texts, size in taken},
        "peak MiB": round(peak()),
    }


def timed(work: Callable[[], Any]) -> dict[str, Any]:
    """Its result and its seconds, by the clock and of all cores."""
    began = time.perf_counter(), time.process_time()
    result = work()
    return {
        "result": result,
        "clock": round(time.perf_counter() - began[0], 3),
        "cpu": round(time.process_time() - began[1], 3),
    }


def resident() -> float:
    """MiB of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def peak() -> float:
    """MiB of this process at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


SIDES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "cesello": cesello,
    "cesello int8": cesello,
    "llama-index": llama_index,
    "langchain": langchain,
}

if __name__ == "__main__":
    # What libraries print is no answer.
    with redirect_stdout(sys.stderr):
        job = json.load(sys.stdin)
        answer = SIDES[job["side"]](job)
    print(json.dumps(answer))
