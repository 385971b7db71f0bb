"""Writes a memory until it is killed: python -m tests.integration.writing_memory FOLDER

Says "writing" once it has the right to, then after each file how many there are.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from cesello.adapters.memory.sqlite_chunk_store import SqliteChunkStore
from tests.remembered import remembered, vectors_of

if __name__ == "__main__":
    store = SqliteChunkStore(Path(sys.argv[1]))
    with store.writer():
        print("writing", flush=True)  # noqa: T201
        for number in itertools.count(1):
            file = remembered(f"{number}.py", f"the text of number{number}\n")
            store.put([file], vectors_of(file))
            print(number, flush=True)  # noqa: T201
