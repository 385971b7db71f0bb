"""What a comment above a definition says, without the marks that make it a comment."""

from __future__ import annotations

import re

from .document import first_paragraph

_MARKS = re.compile(r"^[ \t]*(?:/\*+!?|/{2,}!?|\*+/|\*(?!\*)|#+|--+(?:\[=*\[)?|<!--|;+)?[ \t]?", re.MULTILINE)
_ENDS = re.compile(r"[ \t]*(?:\*+/|-->|\]=*\])[ \t]*$", re.MULTILINE)
_ANNOTATION = re.compile(r"^[ \t]*(?:@\w|#\[|\[\w|:param\b).*", re.MULTILINE | re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]*>")
_READ = 2_000
"""Characters of a comment that are looked at: its first paragraph is within them."""


def doc_description(comment: str) -> str:
    """The first paragraph of a comment in any of the usual forms, on one line; empty where there is none.

    Forms are ``//``, ``///``, ``/* */`` with or without stars, ``#``, ``--`` and ``<!-- -->``. What begins
    with an annotation (``@param``, ``#[derive]``) is left out with all below it, and so are tags of XML.
    """
    plain = _MARKS.sub("", _ENDS.sub("", comment[:_READ]))
    return first_paragraph(_TAG.sub("", _ANNOTATION.sub("", plain, count=1)))
