"""Reads a memory as somebody else: python -m tests.integration.reading_memory FOLDER [USER]

Everything is imported before the powers of root are given up, because the code may be nobody else's to read.
Writes the keys that are found by meaning and by words, and what a writer is told.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cesello.adapters.memory.sqlite_chunk_store import SqliteChunkStore
from cesello.domain.remembered import EVERYTHING
from tests.remembered import EMBEDDER

if __name__ == "__main__":
    store = SqliteChunkStore(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
    near = store.nearest(EMBEDDER.embed_query("apples"), 20, EVERYTHING)
    said = store.matching("apples", 20, EVERYTHING)
    sys.stdout.write(f"{store.state().texts} texts, {len(near)} near, {len(said)} said\n")
    try:
        with store.writer():
            sys.stdout.write("may write\n")
    except OSError as refused:
        sys.stdout.write(f"{type(refused).__name__}\n")
