"""Lines of a function that something can be asked about, so that nothing else is the answer."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from .python_facts import Span

_LONGEST, _MOST_LINES = 400, 8
"""Characters and lines of a span."""

_NO_PROSE = re.compile(
    r"(?:noqa|type:|pragma|pylint|fmt:|ruff:|mypy:|todo|fixme|xxx|hack)\b|[-=#*~_]{3}", re.I
)
"""Comments that are said to a program, or nobody has done yet."""

_GOES_ON = re.compile(r"\"{3}|'{3}|\\\r?\n")
"""What lets a text have several lines; without it they are several texts, one after the other."""

_Inner = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_BODIES = ("body", "orelse", "finalbody")


class _Place(NamedTuple):
    """Lines that a question asks for.

    Attributes:
        column: where what is asked for begins on the first line; nothing else may stand before it.
    """

    kind: str
    said: str
    first: int
    last: int
    column: int = 0


def spans_of(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: Sequence[str], first: int) -> list[Span]:
    """Its head, where each exception is raised, what each comment stands above, and what it returns.

    Several places that one question would ask for are left out, and so is what is long.

    Args:
        lines: of the file.
        first: the function's first line, decorators included.
    """
    bodies = list(_bodies(node.body))
    found = [
        *_head(node, lines, first),
        *_raised(bodies, lines),
        *_commented(bodies, lines),
        *_returned(node, bodies),
    ]
    asked = Counter((one.kind, one.said) for one in found)
    clear = [one for one in found if asked[one.kind, one.said] == 1 and _begins_line(one, lines)]
    in_texts = _lines_in_texts(node, lines) if clear else frozenset[int]()
    spans = [Span(one.kind, one.said, _text(one, lines, in_texts), one.first, one.last) for one in clear]
    return [one for one in spans if _is_short(one.text)]


def _is_short(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.count("\n") < _MOST_LINES and "```" not in text


def _begins_line(one: _Place, lines: Sequence[str]) -> bool:
    """Whether nothing stands on its line before it, as ``else:`` or another statement."""
    return not lines[one.first - 1][: one.column].strip()


def _text(one: _Place, lines: Sequence[str], in_texts: Collection[int]) -> str:
    """Its lines moved to the margin, but for those that would say another text there."""
    kept = [line.rstrip("\r") for line in lines[one.first - 1 : one.last]]
    margin = len(kept[0]) - len(kept[0].lstrip())
    moved = [
        line if at in in_texts or line[:margin].strip() else line[margin:]
        for at, line in enumerate(kept, one.first)
    ]
    return "\n".join(moved).rstrip()


def _lines_in_texts(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: Sequence[str]) -> frozenset[int]:
    """Lines that begin within a text of several lines, in triple quotes or with a backslash at their ends."""
    found = set[int]()
    for one in ast.walk(node):
        if isinstance(one, ast.JoinedStr | ast.Constant):
            after = range(one.lineno + 1, (one.end_lineno or one.lineno) + 1)
            if after and _GOES_ON.search("\n".join(lines[one.lineno - 1 : after.stop - 1])):
                found.update(after)
    return frozenset(found)


def _bodies(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """The statements side by side in a function, block by block; not those of functions and classes in it."""
    if body:
        yield body
    for node in body:
        if not isinstance(node, _Inner):
            for name in _BODIES:
                yield from _bodies(getattr(node, name, []))
            for inner in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                yield from _bodies(inner.body)


def _head(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: Sequence[str], first: int) -> Iterator[_Place]:
    """Decorators and signature, where a docstring says what the function is for.

    Where the docstring begins on the signature's last line, no lines are the signature and nothing else.
    """
    said = node.body[0]
    last = said.lineno - 1
    while last > node.lineno and lines[last - 1].strip()[:1] in ("", "#"):
        last -= 1
    begins_line = not lines[said.lineno - 1][: said.col_offset].strip()
    if ast.get_docstring(node, clean=False) is not None and last >= node.lineno and begins_line:
        yield _Place("headed", "", first, last)


def _raised(bodies: Sequence[list[ast.stmt]], lines: Sequence[str]) -> Iterator[_Place]:
    """Each ``raise`` of an exception by its name, with the ``if`` whose only statement it is."""
    every = [node for body in bodies for node in body]
    around = {
        id(node.body[0]): node
        for node in every
        if isinstance(node, ast.If) and len(node.body) == 1 and not node.orelse
    }
    for node in every:
        if isinstance(node, ast.Raise) and (name := _exception(node)):
            whole = around.get(id(node), node)
            if lines[whole.lineno - 1].lstrip().startswith("elif"):
                whole = node
            yield _place("raised", name, whole)


def _place(kind: str, said: str, node: ast.stmt) -> _Place:
    return _Place(kind, said, node.lineno, node.end_lineno or node.lineno, node.col_offset)


def _exception(node: ast.Raise) -> str:
    """The class that is raised; a name in small letters is a variable."""
    called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    name = ast.unparse(called) if isinstance(called, ast.Name | ast.Attribute) else ""
    return name if name.rsplit(".", 1)[-1][:1].isupper() else ""


def _commented(bodies: Iterable[list[ast.stmt]], lines: Sequence[str]) -> Iterator[_Place]:
    """What a comment stands above: the statements to an empty line, another comment, or the block's end."""
    for body in bodies:
        for at, node in enumerate(body):
            said = _comment_above(node, lines)
            if said:
                last = node.end_lineno or node.lineno
                for after in body[at + 1 :]:
                    if after.lineno > last + 1:
                        break
                    last = after.end_lineno or after.lineno
                yield _Place("commented", said, node.lineno, last)


def _comment_above(node: ast.stmt, lines: Sequence[str]) -> str:
    """The comment of one line or several that ends above a statement, on one line."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if isinstance(node, _Inner) or is_text or lines[node.lineno - 1].lstrip().startswith("elif"):
        return ""  # decorators stand between, it is a docstring, or the comment ends the block before
    margin = lines[node.lineno - 1][: node.col_offset]
    found: list[str] = []
    for line in reversed(lines[: node.lineno - 1]):
        if not line.startswith(f"{margin}#") or margin.strip():
            break
        found.insert(0, line.strip().lstrip("#").strip())
    said = " ".join(" ".join(found).split())
    return "" if _NO_PROSE.search(said) or '"' in said or "`" in said else said


def _returned(
    node: ast.FunctionDef | ast.AsyncFunctionDef, bodies: Iterable[list[ast.stmt]]
) -> Iterator[_Place]:
    """The one ``return`` of a function, where it says how the result is made."""
    found = [one for body in bodies for one in body if isinstance(one, ast.Return)]
    if len(found) == 1 and not isinstance(found[0].value, ast.Name | ast.Constant | ast.Attribute | None):
        yield _place("returned", node.name, found[0])
