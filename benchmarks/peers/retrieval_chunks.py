"""A peer's chunks, for ``benchmarks/retrieval.py``: a program that is run with the peers' packages."""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import accumulate
from typing import Any

Cut = Callable[[str], Iterable[str]]


def packaged(module: str) -> Any:
    """A module of the peers' folder, which type checkers do not see."""
    return import_module(module)


def chonkie(maximum: int) -> Cut:
    chunker = packaged("chonkie").CodeChunker(tokenizer="character", chunk_size=maximum, language="python")
    return lambda text: [chunk.text for chunk in chunker.chunk(text)]


def llama_index(maximum: int) -> Cut:
    parser = packaged("tree_sitter_language_pack").get_parser("python")
    splitter = packaged("llama_index.core.node_parser").CodeSplitter(
        language="python", max_chars=maximum, parser=parser
    )
    return lambda text: splitter.split_text(text)


def langchain(maximum: int) -> Cut:
    library = packaged("langchain_text_splitters")
    splitter = library.RecursiveCharacterTextSplitter.from_language(
        library.Language.PYTHON, chunk_size=maximum, chunk_overlap=0
    )
    return lambda text: splitter.split_text(text)


def cast(maximum: int) -> Cut:
    builder = packaged("astchunk").ASTChunkBuilder(
        max_chunk_size=maximum, language="python", metadata_template="none"
    )
    return lambda text: [chunk.get("content") or chunk["context"] for chunk in builder.chunkify(text)]


PEERS = {"chonkie": chonkie, "LlamaIndex": llama_index, "LangChain": langchain, "cAST": cast}


def placed(text: str, chunks: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """First and last line of each chunk: it is looked for behind the start of the one before."""
    starts = [0, *accumulate(len(line) for line in text.splitlines(keepends=True))]
    at = 0
    for chunk in chunks:
        bare = chunk.strip()
        if not bare:
            continue
        found = text.find(bare, at)
        if found < 0:  # the peer changed white space: its first line must do
            found = max(text.find(bare.splitlines()[0].strip(), at), at)
        at = found
        last = min(found + len(bare), len(text)) - 1
        yield bisect_right(starts, found), bisect_right(starts, last), chunk


def main() -> None:
    asked = json.load(sys.stdin)
    cut = PEERS[asked["peer"]](asked["maximum"])
    chunks = [(path, *chunk) for path, text in asked["sources"].items() for chunk in placed(text, cut(text))]
    json.dump(chunks, sys.stdout)


if __name__ == "__main__":
    main()
