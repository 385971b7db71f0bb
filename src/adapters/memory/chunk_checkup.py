"""What is wrong with the tables of a memory."""

from __future__ import annotations

from ...domain.errors import StoreError
from .chunk_database import ChunkDatabase
from .chunk_rows import COLUMNS, chunk_from, words_of


def problems_of(database: ChunkDatabase) -> tuple[str, ...]:
    """A sentence each; by a writer, as FTS5 takes looking at its index for a change.

    Raises:
        StoreError: S012, where a chunk cannot be read.
    """
    try:
        said = [line for (line,) in database.all("PRAGMA integrity_check(20)") if line != "ok"]
        with database.changing() as run:
            run("INSERT INTO words(words) VALUES ('integrity-check')")
    except StoreError as damage:
        return (f"{damage.what}: {damage.got}",)
    lacking = (
        "SELECT count(DISTINCT key) FROM chunks WHERE NOT EXISTS"
        " (SELECT 1 FROM vectors WHERE vectors.key = chunks.key AND generation = ?)"
    )
    silent = "SELECT count(*) FROM chunks WHERE id NOT IN (SELECT rowid FROM words)"
    strange = "SELECT count(*) FROM words WHERE rowid NOT IN (SELECT id FROM chunks)"
    for count, what in (
        (database.one(lacking, database.number("generation"))[0], "texts have no vector"),
        (database.one(silent)[0], "chunks are in no list of words"),
        (_wrong_words(database), "chunks are listed by other words than theirs"),
        (database.one(strange)[0], "lists of words are of no chunk"),
    ):
        said += [f"{count} {what}"] if count else []
    return tuple(said)


def _wrong_words(database: ChunkDatabase) -> int:
    """How many chunks are found by other words than theirs."""
    wrong = 0
    query = (
        f"SELECT words.name, words.path, words.text, {COLUMNS} FROM chunks"
        " JOIN words ON words.rowid = chunks.id WHERE chunks.file = ?"
    )
    for file, path in database.all("SELECT id, path FROM files"):  # a file's chunks at a time
        for name, place, text, *row in database.all(query, file):
            wrong += (name, place, text) != words_of(chunk_from(path, row))
    return wrong
