"""Which prompts a run holds out, without telling them: digests, to be compared with those of other runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from hashlib import sha256

from .conversation import Conversation
from .prompt_gate import plainly_asked

HELD_OUT = "held-out.json"
"""The file of a run that has them, a list in their order."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def prompt_digest(prompt: Conversation) -> str:
    """The same for prompts whose last turns of the user differ in spaces, capitals or forms of a letter.

    What a recipe puts around a row, and a row's own turns before the question, make no difference: rather is
    a prompt taken for one that is held out than the other way round.

    Returns:
        sha256 in hexadecimal digits, without salt, so that those of several runs are the same; empty where no
        user asks anything.
    """
    asked = plainly_asked(prompt.without_context())
    return sha256(asked.encode("utf-8", "surrogatepass")).hexdigest() if asked else ""


def prompt_digests(prompts: Iterable[Conversation]) -> list[str]:
    """Each once, in their own order: it tells nothing of that of the rows."""
    return sorted({digest for prompt in prompts if (digest := prompt_digest(prompt))})


def told_digests(text: str) -> frozenset[str]:
    """Those in the text of a file; what is none is passed over."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return frozenset()
    listed = told if isinstance(told, list) else []
    return frozenset(one for one in listed if isinstance(one, str) and _DIGEST.fullmatch(one))
