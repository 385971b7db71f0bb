"""The builders of the memory's adapters; see ``wiring``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from platform import node
from typing import Any

from ..application.ask import Ask, AskRequest
from ..application.ground_rows import GroundRows
from ..application.keep_index import KeepIndex
from ..application.retrieve_context import RetrieveContext
from ..domain.errors import CeselloError, UsageError
from ..domain.model_spec import LoraSpec, ModelSpec
from ..domain.ports.chunk_store import ChunkStore, SourceTree
from ..domain.ports.hub import ModelFiles
from ..domain.ports.memory import Chunker, Embedder, Reranker, Surroundings, VectorStore
from ..domain.ports.model import ModelProvider
from ..domain.ports.run import Observer
from ..domain.ports.text import TextGenerator
from .settings.memory_settings import known


def memory_folder(root: str, folder: str) -> Path:
    """Where a memory is kept."""
    return Path(root, folder).absolute()


def folder_tree(root: str, largest: int) -> SourceTree:
    """Files on the disk."""
    from ..adapters.memory.folder_tree import FolderTree

    return FolderTree(Path(root), largest)


def sqlite_chunk_store(folder: Path) -> ChunkStore:
    """The truth."""
    from ..adapters.memory.sqlite_chunk_store import SqliteChunkStore

    return SqliteChunkStore(folder)


def treesitter_chunker(characters: int) -> Chunker:
    """Chunks by syntax."""
    from ..adapters.memory.treesitter_chunker import TreeSitterChunker

    return TreeSitterChunker(characters)


def treesitter_surroundings() -> Surroundings:
    """Classes and imports by syntax."""
    from ..adapters.memory.treesitter_surroundings import TreeSitterSurroundings

    return TreeSitterSurroundings()


def embedder(settings: Mapping[str, Any], files: ModelFiles, home: Path) -> Embedder:
    """What turns texts into vectors."""
    query, document = settings["query_prefix"], settings["document_prefix"]
    query = known(settings["model"]).query_prefix if query is None else query
    prefixes = {"query_prefix": query, "document_prefix": document}
    if settings["engine"] == "onnx":
        from ..adapters.memory.onnx_embedder import OnnxEmbedder

        return OnnxEmbedder(
            settings["model"], files, home / "onnx", precision=settings["precision"], **prefixes
        )
    if settings["engine"] == "openai":
        from ..adapters.memory.openai_embedder import OpenAiEmbedder

        return OpenAiEmbedder(
            settings["url"], settings["model"], api_key_env=settings["api_key_env"], **prefixes
        )
    from ..adapters.memory.sentence_transformer_embedder import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(settings["model"], files, **prefixes)


def code_embedder(embedder: Embedder, settings: Mapping[str, Any]) -> Embedder:
    """The embedder, as the memory has it read code."""
    if (settings["reads"] or known(settings["model"]).reads) == "code":
        return embedder
    from ..adapters.memory.words_embedder import WordsEmbedder

    return WordsEmbedder(embedder)


def reranker(settings: Mapping[str, Any], files: ModelFiles, home: Path) -> Reranker | None:
    """What reads question and text together, if anything does."""
    if settings["engine"] == "none":
        return None
    if settings["engine"] == "onnx":
        from ..adapters.memory.onnx_reranker import OnnxReranker

        return OnnxReranker(settings["model"], files, home / "onnx", precision=settings["precision"])
    from ..adapters.memory.cross_encoder_reranker import CrossEncoderReranker

    return CrossEncoderReranker(settings["model"], files)


def chroma_store(folder: Path) -> VectorStore:
    """Chroma, in the memory's folder."""
    from ..adapters.memory.chroma_store import ChromaStore

    return ChromaStore(folder / "chroma")


def numpy_store() -> VectorStore:
    """Exact search in memory."""
    from ..adapters.memory.numpy_store import NumpyStore

    return NumpyStore()


def keep_index(
    chunks: ChunkStore,
    make: Callable[[], VectorStore],
    settings: Mapping[str, Any],
    folder: Path,
    observer: Observer,
) -> KeepIndex:
    """What keeps the index equal to the truth. The name has no address in it, which may hold a password."""
    store = settings["store"]
    server = sha256(str(settings["server"]).encode()).hexdigest()[:8]
    name = store if store == "chroma" else f"{store}:{server}:{collection(settings, folder)}"
    below = sys.maxsize if store == "numpy" else settings["exact_below"]
    return KeepIndex(chunks, make, name, below, observer, lambda: discard_others(store, folder))


def discard_others(store: str, folder: Path) -> Collection[str]:
    """Takes away what another store than this has left in a memory's folder, which is Chroma alone."""
    from ..adapters.memory.chroma_folder import ChromaFolder

    with suppress(CeselloError, OSError):  # it is a stranger's, or may not be deleted
        if store != "chroma" and ChromaFolder(folder / "chroma").discard("the index of chroma"):
            return ("chroma",)
    return ()


def collection(settings: Mapping[str, Any], folder: Path) -> str:
    """What an index is called on a server, where other memories have theirs too."""
    own = sha256(f"{node()}:{folder}".encode()).hexdigest()[:16]
    return str(settings["collection"] or f"memory-{own}")


def chroma_server_store(settings: Mapping[str, Any], folder: Path) -> VectorStore:
    """A Chroma server."""
    from ..adapters.memory.chroma_server_store import ChromaServerStore

    url = settings["server"] or "http://localhost:8000"
    return ChromaServerStore(url, collection(settings, folder), token_env=settings["token_env"])


def pgvector_store(settings: Mapping[str, Any], folder: Path) -> VectorStore:
    """PostgreSQL."""
    try:
        from ..adapters.memory.pgvector_store import PgvectorStore
    except ImportError as cause:
        raise not_installed("pgvector", cause) from cause
    return PgvectorStore(settings["server"] or "", collection(settings, folder))


def not_installed(extra: str, cause: ImportError) -> UsageError:
    """C099."""
    return UsageError(
        "C099",
        f"{extra} needs a package that is not installed",
        got=str(cause).splitlines()[0],
        fix=f'pip install "cesello[{extra}]"',
    )


def answerer(settings: Mapping[str, Any], models: ModelProvider) -> TextGenerator:
    """A server that answers, or a model that does here."""
    if settings["url"] is None:
        # Fresh LoRA weights change nothing of what a model says.
        return models.load(ModelSpec(settings["model"]), LoraSpec(r=1), seed=0)
    from ..adapters.model.openai_generator import OpenAiGenerator

    return OpenAiGenerator(settings["url"], settings["model"], api_key_env=settings["api_key_env"])


def asking(settings: Mapping[str, Any], question: str = "") -> AskRequest:
    """How the settings have a question asked."""
    relevant, floor = settings["relevant"], settings["embedder"]["floor"]
    of_embedder = known(settings["embedder"]["model"])
    return AskRequest(
        question,
        recall=settings["recall"],
        keep=settings["keep"],
        threshold=settings["threshold"],
        words=settings["words"],
        ranks=settings["fusion"] == "rrf",
        relevant=of_embedder.relevant if relevant is None else relevant,
        beside=tuple(settings["neighbours"]),
        floor=of_embedder.floor if floor is None else floor,
    )


def retrieve_context(
    ask: Ask,
    chunks: ChunkStore,
    embedder: Embedder,
    reranker: Reranker | None,
    settings: Mapping[str, Any],
    folder: Path,
) -> RetrieveContext:
    """Asks the memory for a training."""
    tokens, shown = settings["context_tokens"], os.path.relpath(folder)
    return RetrieveContext(ask, chunks, embedder, asking(settings), tokens, reranker, shown)


def ground_rows(
    retrieves: str, hold_out: float, retrieve: Callable[[], RetrieveContext]
) -> GroundRows | None:
    """Passages in the prompts of a training; None: there are none, and nothing is made for them."""
    return None if retrieves == "off" else GroundRows(retrieve(), hold_out)
