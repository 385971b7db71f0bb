"""Remember a changing project again and again, kill the processes at random instants, and look at the memory.

Usage: python -m tests.integration.killed_memory FOLDER KILLS SEED

A process that has all libraries loaded forks a child for every start. What a start has done it writes down as
soon as the memory says that it is done; after each kill that must be there. Each second kill or so the next
start comes to its end, and then every text must be found by its own vector. There is always an index, it is
Chroma's, files are kept and indexed a few at a time, and Chroma writes its graph all the time.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cesello.application.keep_index as keep_index
import cesello.application.remember as remember
from cesello.adapters.memory import chroma_collection
from cesello.adapters.memory.chroma_store import ChromaStore
from cesello.adapters.memory.folder_tree import FolderTree
from cesello.adapters.memory.sqlite_chunk_store import SqliteChunkStore
from cesello.application.verify_memory import VerifyMemory
from cesello.domain.errors import RetryableError
from cesello.domain.remembered import EVERYTHING, RememberedFile
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.memory import FakeChunker, FakeVectorStore
from tests.fakes.run import FakeStop, RecordingObserver
from tests.integration.killed_training import Flags, wait_for, watch
from tests.remembered import remember_with

ALL = remember.RememberRequest((".",))
PLACES: dict[str, tuple[Any, str]] = {
    "put": (SqliteChunkStore, "put"),
    "forget": (SqliteChunkStore, "forget"),
    "mark": (SqliteChunkStore, "mark_index"),
    "upsert": (ChromaStore, "upsert"),
    "delete": (ChromaStore, "delete"),
}
ANYWHERE = "anywhere"
FOLDER, PROJECT, ACKNOWLEDGED = Path("memory"), Path("project"), Path("acknowledged.jsonl")


@dataclass
class Tally:
    """Attributes:
    wrong: what was not as it must be; ``looked`` how many texts were looked for.
    """

    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    looked: int = 0
    wrong: list[str] = field(default_factory=list)


class AcknowledgingStore(SqliteChunkStore):
    """Writes down what it was asked, and that it is done."""

    def put(self, files: Sequence[RememberedFile], vectors: Any) -> None:
        what = {file.mark.path: file.mark.digest for file in files}
        note({"begun": what})
        super().put(files, vectors)
        note({"done": what})

    def forget(self, paths: Any) -> int:
        what = dict.fromkeys(paths)
        note({"begun": what})
        count = super().forget(what)
        note({"done": what})
        return count


def note(what: object) -> None:
    """Adds a line that outlasts the process."""
    descriptor = os.open(ACKNOWLEDGED, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (json.dumps(what) + "\n").encode())
    os.close(descriptor)


def use_case(store: SqliteChunkStore, index: ChromaStore) -> remember.Remember:
    """It chunks by lines, and embeds at no cost."""
    return remember_with(FolderTree(PROJECT), store, index, chunker=FakeChunker(120))


def run_once() -> None:
    """One start, to its end."""
    store, index = AcknowledgingStore(FOLDER), ChromaStore(FOLDER / "chroma")
    use_case(store, index)(ALL)


def in_child(work: Callable[[], object]) -> int:
    """Forks a child for some work; its number. What it returns is in ``child.json``."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        with open("child.log", "a") as log:
            os.dup2(log.fileno(), 2)
        Path("child.json").write_text(json.dumps(work()))
        status = 0
    except BaseException as failure:
        sys.stderr.write(f"{type(failure).__name__}: {failure}\n")
        sys.stderr.flush()
    os._exit(status)


def finished(work: Callable[[], object]) -> Any:
    """What a child returns."""
    child = in_child(work)
    check(os.waitpid(child, 0)[1])
    return json.loads(Path("child.json").read_text())


def check(status: int) -> None:
    """Ends all with a child's words where it did not end well by itself."""
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"a start ended with {code}:\n{Path('child.log').read_text()[-2000:]}")


def change(draw: random.Random) -> None:
    """What a busy afternoon does to a project."""
    for number in draw.sample(range(100), 25):
        path = PROJECT / f"part{number % 7}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        match draw.randrange(6):
            case 0:
                path.unlink(missing_ok=True)
            case 1 if path.exists():
                path.rename(path.with_name(f"file{number}.py.txt"))
            case _:
                lines = [f"word{draw.randrange(10**9)} of line {draw.randrange(10**9)}\n" for _ in range(12)]
                path.write_text("".join(lines))


def kill(kind: str, nth: int, flags: Flags, draw: random.Random, seconds: float) -> str | None:
    """Kills a start; what it was doing, or None where it came to its end before."""
    flags.clear()
    child = in_child(run_once)
    until = time.perf_counter() + draw.uniform(0.05, 0.9) * seconds
    ended = wait_for(
        child,
        lambda: (
            time.perf_counter() >= until
            if kind == ANYWHERE
            else flags.doing == kind and flags.times(kind) >= nth
        ),
    )
    if ended is None:
        time.sleep(draw.uniform(0, 0.01))
        os.kill(child, signal.SIGSTOP)  # it stands still, so that what it does is what it dies in
        _, ended = os.waitpid(child, os.WUNTRACED)
    if not os.WIFSTOPPED(ended):
        check(ended)
        return None
    doing = flags.doing
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return doing


def lost() -> list[str]:
    """What was acknowledged and is not there, or there and was never begun."""
    expected: dict[str, set[str | None]] = {}
    for line in ACKNOWLEDGED.read_text().splitlines() if ACKNOWLEDGED.exists() else ():
        for said, what in json.loads(line).items():
            for path, digest in what.items():
                known = {digest} if said == "done" else expected.get(path, {None}) | {digest}
                expected[path] = known
    store = SqliteChunkStore(FOLDER)
    there = {path: mark.digest for path, mark in store.files().items()}
    store.close()
    wrong = [path for path, digests in expected.items() if there.get(path) not in digests]
    return [f"lost: {path}" for path in wrong] + [
        f"foreign: {path}" for path in there.keys() - expected.keys()
    ]


def look() -> tuple[int, list[str]]:
    """Comes to the end of a start, and looks for every text: how many there are, and what is wrong."""
    observer = RecordingObserver()
    store, index = AcknowledgingStore(FOLDER), ChromaStore(FOLDER / "chroma")
    use_case(store, index)(ALL)
    keeper = keep_index.KeepIndex(store, lambda: index, "index", 0, observer)
    wrong = list(VerifyMemory(store, keeper, observer, FakeStop())().problems)
    vectors = dict(store.vectors())
    for key, vector in vectors.items():
        for hits in (index.nearest(vector, 2), store.nearest(vector, 2, EVERYTHING)):
            best = [hit.id for hit in hits if hit.score > 1 - 1e-3]
            wrong += [] if key in best else [f"not found: {key}"]
    ids = list(index.ids())
    wrong += [] if sorted(ids) == sorted(vectors) else ["the index has other texts, or one twice"]
    whole = FakeChunkStore()
    remember_with(FolderTree(PROJECT), whole, FakeVectorStore(), chunker=FakeChunker(120))(ALL)
    wrong += (
        [] if list(whole.all_chunks()) == list(store.all_chunks()) else ["other chunks than of the files"]
    )
    return len(ids), wrong


def in_small_steps() -> None:
    """The worst case: everything is written a little at a time."""
    remember._KEPT_TOGETHER = 24
    keep_index._BATCH = 20
    chroma_collection.INDEX |= {"sync_threshold": 10, "batch_size": 5}


def campaign(kills: int, seed: int) -> Tally:
    """Kills so many starts in all."""
    draw, tally, kinds = random.Random(seed), Tally(), (ANYWHERE, *PLACES)
    flags = Flags(kinds)
    in_small_steps()
    watch(flags, PLACES)
    change(draw)
    began = time.perf_counter()
    finished(run_once)
    seconds = time.perf_counter() - began
    while sum(tally.kills.values()) < kills:
        change(draw)
        kind = kinds[tally.starts % len(kinds)]
        doing = kill(kind, draw.randint(1, 3) if kind in ("put", "upsert") else 1, flags, draw, seconds)
        tally.starts += 1
        tally.kills.update([doing] if doing else [])
        tally.wrong += [f"after kill {sum(tally.kills.values())} in {doing}: {one}" for one in lost()]
        if draw.random() < 0.5:
            looked, wrong = finished(look)
            tally.looked += looked
            tally.wrong += wrong
    looked, wrong = finished(look)
    tally.looked += looked
    tally.wrong += wrong + lost()
    return tally


def write_beside_others() -> None:
    """A whole start, tried again while another process writes; says what it was told."""
    while True:
        try:
            run_once()
        except RetryableError as refused:
            sys.stdout.write(f"{refused.code}\n")
        else:
            sys.stdout.write("done\n")
            return


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    if len(sys.argv) > 2:
        sys.stdout.write(json.dumps(vars(campaign(int(sys.argv[2]), int(sys.argv[3])))) + "\n")
    else:
        write_beside_others()
