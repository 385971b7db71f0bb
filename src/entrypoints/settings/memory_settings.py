"""The settings of the memory: section ``memory`` of a recipe, and all there is in ``cesello.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from .section import SECRET, Section, Text

MINILM = "sentence-transformers/all-MiniLM-L6-v2"

BGE_SMALL = "BAAI/bge-small-en-v1.5"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an embedder, and stands in none of its files.

    Attributes:
        relevant: the cosine that answers reach (``benchmarks/relevance.py``); None: not measured.
        floor: the cosine that unrelated texts reach (``benchmarks/order_weights.py``).
        query_prefix: before a question; None for what its files say.
        reads: code as it is written, or as words (``benchmarks/order_weights.py``).
    """

    relevant: float | None = None
    floor: float = 0.0
    query_prefix: str | None = None
    reads: Literal["words", "code"] = "code"


_KNOWN = {
    MINILM: Known(relevant=0.3, reads="words"),
    # The prefix is the model card's, https://huggingface.co/BAAI/bge-small-en-v1.5.
    BGE_SMALL: Known(
        relevant=0.62,
        floor=0.6,
        query_prefix="Represent this sentence for searching relevant passages: ",
    ),
}


def known(model: str) -> Known:
    """What is known of an embedder by its name; of a stranger, nothing."""
    return _KNOWN.get(model, Known())


class EmbedderSettings(Section):
    """What turns texts into vectors."""

    engine: Literal["sentence_transformers", "onnx", "openai"] = Field(
        default="onnx",
        description="onnx: onnxruntime, the fastest on a CPU; sentence_transformers: any model that it "
        "loads, and GPUs; openai: a server with /v1/embeddings.",
    )
    model: Text = Field(
        default=MINILM, description="Its name on the hub, a folder, or the server's name for it."
    )
    precision: Literal["float32", "int8"] = Field(
        default="float32", description="Of onnx: int8 is 1.5 times as fast, and a little worse."
    )
    query_prefix: str | None = Field(
        default=None,
        description='Before every question, as "query: " for E5; null: what the model says, or its card '
        "(bge-small-en-v1.5).",
    )
    document_prefix: str | None = Field(
        default=None, description='Before every text, as "passage: " for E5; null: what the model says.'
    )
    reads: Literal["words", "code"] | None = Field(
        default=None,
        description="words: code without its signs, identifiers taken apart, for models of prose, which read "
        "it in three fifths of the time; code: as it is written; null: words for all-MiniLM-L6-v2, which "
        "finds as much by them, and code for others.",
    )
    floor: float | None = Field(
        default=None,
        ge=-1,
        lt=1,
        description="The cosine of texts that have nothing to do with each other, from which scores are "
        "counted; null: what was measured (0.6 for bge-small-en-v1.5), or 0.",
    )
    url: Text | None = Field(
        default=None, description="Of openai: where the server is, as http://localhost:8000/v1."
    )
    api_key_env: str | None = Field(
        default=None,
        pattern=SECRET,
        description="The environment variable with the server's key, CESELLO_...; the key is kept nowhere.",
    )


class RerankerSettings(Section):
    """What reads question and text together."""

    engine: Literal["onnx", "cross_encoder", "none"] = Field(
        default="onnx",
        description="onnx: onnxruntime; cross_encoder: sentence-transformers; none: no reranking.",
    )
    model: Text = Field(
        default="cross-encoder/ms-marco-MiniLM-L-12-v2", description="Its name on the hub, or a folder."
    )
    precision: Literal["float32", "int8"] = Field(
        default="float32", description="Of onnx: int8 takes half the time, and judges a little worse."
    )


class AnswerSettings(Section):
    """The model that answers from what was found."""

    model: Text = Field(
        default="HuggingFaceTB/SmolLM2-135M-Instruct",
        description="Its name on the hub or the server, or a folder.",
    )
    url: Text | None = Field(
        default=None, description="A server with OpenAI's chat completions; null: the model answers here."
    )
    api_key_env: str | None = Field(
        default=None,
        pattern=SECRET,
        description="The environment variable with the server's key, CESELLO_...",
    )
    max_new_tokens: int = Field(default=256, ge=1, description="The most an answer may have.")


class MemorySettings(Section):
    """The memory for code and procedures."""

    folder: Text = Field(
        default=".cesello/memory", description="Where it is kept, seen from the folder of this file."
    )
    store: Literal["chroma", "chroma_server", "pgvector", "numpy"] = Field(
        default="chroma",
        description="The index of vectors. chroma: in the folder; chroma_server: `chroma run`; pgvector: "
        "PostgreSQL; numpy: none, every vector is compared.",
    )
    server: Text | None = Field(
        default=None,
        description="Where chroma_server (http://localhost:8000) or PostgreSQL (postgresql://user@host/name) "
        "is; ${CESELLO_...} takes a password out of the environment.",
    )
    collection: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9_-]{3,40}$",
        description="The index's name on the server; null: one of the folder's own.",
    )
    token_env: str | None = Field(
        default=None,
        pattern=SECRET,
        description="The environment variable with the token of chroma_server, CESELLO_...",
    )
    exact_below: int = Field(
        default=60_000,
        ge=0,
        description="With fewer texts every vector is compared, which is as fast and never wrong, and there "
        "is no index. 0: always an index.",
    )
    embedder: EmbedderSettings = EmbedderSettings()
    reranker: RerankerSettings = RerankerSettings()
    answer: AnswerSettings = AnswerSettings()
    chunk_characters: int = Field(default=900, ge=100, le=1_000_000, description="The most a chunk may have.")
    largest_file: int = Field(
        default=1_000_000, ge=1, le=1_000_000_000, description="Bytes; larger files are left alone."
    )
    recall: int = Field(default=20, ge=1, description="Texts that search gives to the reranker.")
    keep: int = Field(default=3, ge=1, description="Passages that are given back.")
    threshold: float = Field(
        default=0.0, allow_inf_nan=False, description="A passage's score must reach it; else it is left out."
    )
    relevant: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="The cosine that some text must reach, or nothing is relevant; null: what was measured "
        "for the embedder (0.3 for all-MiniLM-L6-v2, 0.62 for bge-small-en-v1.5, nothing for others); -1: "
        "always answer.",
    )
    words: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Weight of a question's words beside its meaning; null: by the kind of question.",
    )
    fusion: Literal["scores", "rrf"] = Field(
        default="scores",
        description="How the two searches become one ranking. scores: how near and how many words; rrf: by "
        "rank alone (reciprocal rank fusion). Either way the words have their weight.",
    )
    neighbours: tuple[Literal["class", "imports"], ...] = Field(
        default=(),
        strict=False,
        description="What is added to a passage where there is room. class: how the class of a method "
        "begins; imports: what its file imports.",
    )
    retrieve: Literal["off", "on"] = Field(
        default="off",
        description="Put passages that are found for a row's last question before it, in a training: at most "
        "keep, of context_tokens together. They are read and never trained on. A row that they would make "
        "longer than data.max_tokens goes without.",
    )
    retrieve_holdout: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="The share of rows that go without the passages found for them, always the same ones, so "
        "that it is seen whether they help.",
    )
    procedures: Literal["off", "catalog", "full", "guided"] = Field(
        default="off",
        description="Put the procedure that matches a row into its prompt, in a training. catalog: its name "
        "and description; full: all of it; guided: with grpo, one step at a time, at most grpo.max_turns.",
    )
    procedure_holdout: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="The share of matching rows that go without their procedure, always the same ones, so "
        "that it is seen whether it helps.",
    )
    context_tokens: int = Field(default=1_000, ge=1, description="The most that passages have together.")


class MemoryFile(Section):
    """``cesello.yaml``."""

    memory: MemorySettings = MemorySettings()
