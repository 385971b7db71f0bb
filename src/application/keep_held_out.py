"""Keep which prompts a run holds out: rows that are made of runs must not be among them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from ..domain.conversation import Conversation
from ..domain.held_prompts import HELD_OUT, prompt_digests, told_digests
from ..domain.ports.run import RunFolder
from .prepare_source import PreparedSource


def keep_held_out(run: RunFolder, prompts: Iterable[Conversation]) -> None:
    """Their digests, in ``held-out.json``; an empty list where nothing is held out.

    What the file holds stays: a run that is gone on with inexactly may hold out others now, and has been
    measured on those of before.

    Raises:
        StorageError: I003.
    """
    digests = {*prompt_digests(prompts), *told_digests(run.read_text(HELD_OUT) or "")}
    run.write_text(HELD_OUT, json.dumps(sorted(digests)) + "\n")


def held_prompts(sources: Sequence[PreparedSource]) -> Iterator[Conversation]:
    """What the held-out rows of all sources ask; plain text asks nothing."""
    for source in sources:
        rows = (source.examples.example(index).conversation for index in source.held)
        yield from (row.prompt() for row in rows if not row.is_plain_text)
