"""A Python file without what its chunks do not depend on, which parses in half the time."""

from __future__ import annotations

import re

_BLANK = rb"(?:[ \t\f]*\r?\n)"
_SIGNATURE = rb"(?:async[ \t]+)?def[ \t]+\w+(?:[^\n]*|\([^()#]*\)[^\n]*):[ \t]*\r?\n"
_DOCSTRING = (
    rb"[ \t]+[rRuU]?(?:\"\"\"(?:[^\"\\]+|\\.|\"(?!\"\"))*+\"\"\"|'''(?:[^'\\]+|\\.|'(?!''))*+'''"
    rb"|\"(?!\")[^\"\\\n]*\"|'(?!')[^'\\\n]*')[ \t]*\r?\n"
)
_GOES_ON = rb"(?:[ \t\f]*(?:#[^\n]*)?\r?\n)*+\1[ \t]+[^\s#]"
_FUNCTION = re.compile(
    rb"([ \t]*)" + _SIGNATURE + rb"((?:" + _BLANK + rb"*" + _DOCSTRING + rb")?" + _BLANK + rb"*+)"
    rb"((?:\1[ \t]+[^\n]*\n|" + _BLANK + rb")++)(?!" + _GOES_ON + rb")",
    re.DOTALL,
)
_LITTLE = 20
"""Bytes of a body that are parsed as fast as they are left out."""

_WINDOW = 4
"""How many times the maximum is looked at from a ``def``, lest functions in functions take square time."""


def python_outline(code: bytes, maximum: int) -> bytes:
    """As long as the code, with something simple in place of the bodies of functions that fit.

    A function that fits is never opened, so all that counts of it is its docstring and where it ends. Where
    lines that are indented deeper than their ``def`` are not its body after all, because a string or brackets
    go on, what remains is no Python: an outline with syntax errors is not to be used.
    """
    parts: list[bytes] = []
    done = 0
    at = code.find(b"def ")
    while at >= 0:
        line = code.rfind(b"\n", 0, at) + 1
        if code[line:at].strip() in (b"", b"async"):
            found = _FUNCTION.match(code, line, line + _WINDOW * maximum)
        else:
            found = None
        if found and found.end() - line <= maximum:
            parts += (code[done:line], _outlined(found))
            done = found.end()
        at = code.find(b"def ", max(done, at + 1))
    return b"".join([*parts, code[done:]])


def _outlined(found: re.Match[bytes]) -> bytes:
    written, body = found[0], found[3]
    end = len(body.rstrip())
    while (line := body.rfind(b"\n", 0, end) + 1) and body[line:end].lstrip().startswith(b"#"):
        end = len(body[:line].rstrip())
    start = len(body) - len(body.lstrip())
    ends_in_comment = b"#" in body[line:end]
    hides_docstring = body[start : start + 2].lstrip(b"rRuU")[:1] in (b"'", b'"', b"#")
    if end - start < _LITTLE or ends_in_comment or hides_docstring:
        return written
    before = len(written) - len(body)
    return b"%b0,'%b'%b" % (written[: before + start], b"x" * (end - start - 4), written[before + end :])
