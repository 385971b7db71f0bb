"""One chunker over a list of files: JSON in, seconds and chunks out, so that every chunker has a process.

Peers are in ``build/memory-peers``; ours is run by the same program, without that folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "build" / "memory-peers"

Chunker = Callable[[str], list[str]]


def cesello(maximum: int) -> Chunker:
    """Ours, from bytes as it is used."""
    from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
    from cesello.domain.document import SourceFile

    chunker = TreeSitterChunker(maximum)
    return lambda code: [chunk.text for chunk in chunker.chunk(SourceFile("a.py", code.encode()))]


def chonkie(maximum: int) -> Chunker:
    """CodeChunker, which counts characters when it is asked to."""
    chunker = import_module("chonkie").CodeChunker(
        language="python", chunk_size=maximum, tokenizer="character"
    )
    return lambda code: [chunk.text for chunk in chunker.chunk(code)]


def llama_index(maximum: int) -> Chunker:
    """CodeSplitter, which cuts at characters only."""
    parsers = import_module("llama_index.core.node_parser")
    splitter = parsers.CodeSplitter(language="python", max_chars=maximum)
    return lambda code: list(splitter.split_text(code))


def langchain(maximum: int) -> Chunker:
    """RecursiveCharacterTextSplitter with the separators of Python."""
    library = import_module("langchain_text_splitters")
    splitter = library.RecursiveCharacterTextSplitter.from_language(
        library.Language.PYTHON, chunk_size=maximum, chunk_overlap=0
    )
    return lambda code: list(splitter.split_text(code))


def astchunk(maximum: int) -> Chunker:
    """CAST: chunking along the syntax tree, by the authors of the paper."""
    builder = import_module("astchunk").ASTChunkBuilder(
        max_chunk_size=maximum, language="python", metadata_template="none"
    )
    return lambda code: [chunk["content"] for chunk in builder.chunkify(code)]


CONTENDERS = {
    "cesello": (cesello, ("tree-sitter", "tree-sitter-python")),
    "chonkie CodeChunker": (chonkie, ("chonkie",)),
    "LlamaIndex CodeSplitter": (llama_index, ("llama-index-core",)),
    "LangChain from_language": (langchain, ("langchain-text-splitters",)),
    "astchunk (cAST)": (astchunk, ("astchunk",)),
}


def ask(contender: str, files: list[str], maximum: int, *, chunks: bool) -> dict[str, Any]:
    """Runs one contender over all files in a new process.

    Returns:
        ``seconds`` of the processor, ``versions``, and with ``chunks`` the chunks' texts, by file; a file
        that the contender fails on has null.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = (
        str(ROOT) if contender == "cesello" else os.pathsep.join([str(PEERS), str(ROOT)])
    )
    question = {"contender": contender, "files": files, "maximum": maximum, "chunks": chunks}
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(question),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    """Answers one question."""
    question = json.load(sys.stdin)
    make, packages = CONTENDERS[question["contender"]]
    codes = [Path(file).read_bytes().decode() for file in question["files"]]
    chunker = make(question["maximum"])
    chunker("x = 1\n")
    chunks: list[list[str] | None] = []
    began = time.process_time()
    for code in codes:
        try:
            chunks.append(chunker(code))
        except Exception as error:  # a peer may fail on a file: that is a figure too
            sys.stderr.write(f"{question['contender']}: {type(error).__name__}: {error}\n")
            chunks.append(None)
    seconds = time.process_time() - began
    versions = {package: metadata.version(package) for package in packages}
    answer = {"seconds": seconds, "versions": versions, "chunks": chunks if question["chunks"] else None}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
