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
_CLAUSE = rb"(?:(?:elif|else|except|finally)\b|[)\]}])"
_HEADER = rb"\n([ \t]*+)(?=[fitw])(?:if|for|while|with|try)\b[^\n]*:"
_COMPOUND_HEADER = re.compile(_HEADER + rb"(?=[ \t]*\r?\n)")
_COMPOUND = re.compile(
    _HEADER + rb"[ \t]*\r?\n"
    rb"(?:\1[ \t]+[^\n]*\n|" + _BLANK + rb"|(?:\1#[^\n]*\n)*\1" + _CLAUSE + rb"[^\n]*\n)++"
    rb"(?!(?:[ \t\f]*#[^\n]*\n|" + _BLANK + rb")*\1(?:[ \t]+[^\s#]|" + _CLAUSE + rb"))"
)
"""A statement with all its clauses, from the line end before it to that of its last line."""

_LITTLE = 20
"""Bytes of a body that are parsed as fast as they are left out."""

_WINDOW = 4
"""How many times the maximum is looked at from a ``def``, lest functions in functions take square time."""


def python_outline(code: bytes, maximum: int) -> bytes:
    """As long as the code, with something simple in place of what fits and is therefore never opened.

    Of a function all that counts is its docstring and where it ends; of ``if``, ``for``, ``while``, ``with``
    and ``try`` with their clauses, where they begin and end. Where lines that are indented deeper are not the
    body after all, because a string or brackets go on, what remains is no Python: an outline with syntax
    errors is not to be used.
    """
    return _without_compounds(_without_bodies(code, maximum), maximum)


def _without_bodies(code: bytes, maximum: int) -> bytes:
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


def _without_compounds(code: bytes, maximum: int) -> bytes:
    parts: list[bytes] = []
    done = 0
    for header in _COMPOUND_HEADER.finditer(code):
        start = header.start()
        if start < done:
            continue
        window = code.find(b"\n", start + maximum) + 1 or len(code)  # whole lines, the last beyond what fits
        found = _COMPOUND.match(code, start, window)
        if found is None or found.end() == window < len(code):  # it may go on
            continue
        first = header.end(1)
        end = first + len(code[first : found.end()].rstrip())
        if _LITTLE <= end - first <= maximum and _is_plain(code[first:end]):
            parts += (code[done:first], b"0" * (end - first))
            done = end
    return b"".join([*parts, code[done:]])


def _is_plain(statement: bytes) -> bool:
    """Whether it ends in code, and no string goes on after it or before."""
    ends_in_comment = b"#" in statement[statement.rfind(b"\n") :]
    return not (ends_in_comment or _may_cut_a_string(statement))


def _may_cut_a_string(body: bytes) -> bool:
    """It may begin within one, and go on over its end to the beginning of another."""
    return b'"""' in body or b"'''" in body


def _outlined(found: re.Match[bytes]) -> bytes:
    written, body = found[0], found[3]
    end = len(body.rstrip())
    while (line := body.rfind(b"\n", 0, end) + 1) and body[line:end].lstrip().startswith(b"#"):
        end = len(body[:line].rstrip())
    start = len(body) - len(body.lstrip())
    ends_in_comment = b"#" in body[line:end]
    hides_docstring = body[start : start + 2].lstrip(b"rRuU")[:1] in (b"'", b'"', b"#")
    if end - start < _LITTLE or ends_in_comment or hides_docstring or _may_cut_a_string(body):
        return written
    before = len(written) - len(body)
    return written[: before + start] + b"0" * (end - start) + written[before + end :]
