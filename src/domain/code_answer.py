"""The program in a completion, and what can be said of it without running it.

Which text is the program:

    ```python ... ```    the last block that defines what was asked for; if none does, the last block. Blocks
                         labelled py, python, python3 come before blocks without a label; others are no code.
    def f(x): ...        without a fence, all of the completion where it parses and does something
        return x + 1     the rest of a function whose head is the row's ``prefix``
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import TypeGuard

LONGEST = 200_000
"""Characters of a program; nobody writes a longer one by hand, and parsing it costs memory."""

_FENCE = re.compile(r"^[ \t]*```([^\n`]*)$", re.MULTILINE)
_PYTHON = frozenset({"py", "python", "python3"})
_TODO = re.compile(r"\b(?:TODO|FIXME)\b")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def program_of(completion: str, name: str | None = None, prefix: str = "") -> str | None:
    """The program a completion holds, or None.

    Args:
        name: what it should define.
        prefix: the text of the prompt that the completion goes on from: imports, helpers, the function's
            head. A program that defines ``name`` itself gets what stands before that head.
    """
    if not isinstance(completion, str) or len(completion) > LONGEST or not completion.strip():
        return None
    blocks = _blocks(completion)
    if blocks is None:
        return _bare(completion, name, prefix)
    if not blocks:
        return None
    chosen = next((one for one in reversed(blocks) if name and name in defined_in(one)), blocks[-1])
    if not chosen.strip():
        return None
    return _joined(chosen, name, prefix)


def _blocks(text: str) -> list[str] | None:
    """The contents of the Python blocks; None where there is no fence. An open one goes to the end."""
    labelled: list[str] = []
    plain: list[str] = []
    label, start = "", -1
    fences = list(_FENCE.finditer(text))
    for fence in fences:
        if start < 0:
            label, start = fence[1].strip().lower().split(" ")[0], fence.end() + 1
        elif not fence[1].strip():
            (labelled if label in _PYTHON else plain if not label else []).append(text[start : fence.start()])
            start = -1
    if start >= 0:
        (labelled if label in _PYTHON else plain if not label else []).append(text[start:])
    return (labelled or plain) if fences else None


def _bare(text: str, name: str | None, prefix: str) -> str | None:
    if prefix and not (name and name in defined_in(text)):
        whole = prefix + text
        return whole if parsed(whole) else prefix + _indented_part(text)
    tree = parsed(text)
    if tree is None:
        # Something that was meant to be a program may be broken; words are none.
        return text if re.search(r"^(?:def|class|import|from)\s+\w+", text, re.MULTILINE) else None
    return _joined(text, name, prefix) if any(map(_does_something, tree.body)) else None


def _joined(code: str, name: str | None, prefix: str) -> str:
    if not prefix:
        return code
    if name and name in defined_in(code):
        return f"{preamble_of(prefix, name)}\n{code}"
    return prefix + code


def preamble_of(prefix: str, name: str) -> str:
    """What stands before the head of that function in the text that a completion goes on from."""
    head = re.search(rf"^(?:async\s+)?def\s+{re.escape(name)}\b", prefix, re.MULTILINE)
    preamble = prefix[: head.start()] if head else prefix
    return preamble if parsed(preamble) else ""


def _indented_part(text: str) -> str:
    """The lines before the first that stands at the margin: a model goes on talking after the function."""
    lines = text.splitlines(keepends=True)
    first = next(
        (i for i, line in enumerate(lines) if i and line.strip() and not line[0].isspace()), len(lines)
    )
    return "".join(lines[:first])


def _does_something(statement: ast.stmt) -> bool:
    return not isinstance(statement, ast.Expr) or isinstance(statement.value, ast.Call | ast.Await)


def parsed(program: str) -> ast.Module | None:
    """The syntax tree, or None where the text is not Python (or nested too deep to be read)."""
    if len(program) > LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            # An invalid escape in text of others is no news.
            warnings.simplefilter("ignore")
            return ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def defined_in(program: str) -> frozenset[str]:
    """The names a program binds at its top level, inside ``if`` and ``try`` too."""
    tree = parsed(program)
    return frozenset(_names(tree.body)) if tree else frozenset()


def _names(statements: Sequence[ast.stmt]) -> Iterator[str]:
    # A thousand elifs are a thousand levels deep.
    waiting = list(statements)
    while waiting:
        statement = waiting.pop()
        yield from _bound_by(statement)
        if not isinstance(statement, _Function | ast.ClassDef):
            for inner in ("body", "orelse", "finalbody"):
                waiting += getattr(statement, inner, [])
            for handler in getattr(statement, "handlers", []):
                waiting += handler.body


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in aliases)
        case ast.Assign(targets=targets):
            yield from (one.id for target in targets for one in ast.walk(target) if _is_stored(one))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            yield name


def _is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def is_copied(program: str, question: str) -> bool:
    """Whether a program stands in the question, blanks and comments apart."""
    if "".join(program.split()) in "".join(question.split()):
        return True
    head = re.search(r"^(?:async[ \t]+def|def|class|import|from|@)\b", question, re.MULTILINE)
    bare = [_indented_part(question[head.start() :]), question[head.start() :]] if head else []
    asked = [parsed(one) for one in (_blocks(question) or bare)]
    given = parsed(program)
    try:
        return given is not None and ast.dump(given) in [ast.dump(tree) for tree in asked if tree]
    except RecursionError:
        return False


def asserts_in(tests: str) -> int:
    """How many assertions are written down; a program that ends early is not asked all of them."""
    tree = parsed(tests)
    return sum(isinstance(node, ast.Assert) for node in ast.walk(tree)) if tree else 0


def unfinished(program: str, name: str | None = None) -> str | None:
    """Why a program is not an answer although it parses, as a reason code; None where nothing says so.

    ``placeholder``: a function is empty, ``pass``, ``...``, a bare ``return``, NotImplementedError or holds a
    TODO; of a class, or where no name is asked for, most of the functions are.
    ``ignores_arguments``: the function asked for takes arguments and looks at none.

    Args:
        name: looks at this function or class only, and otherwise at all.
    """
    tree = parsed(program)
    if tree is None:
        return None
    defined = [one for one in tree.body if isinstance(one, _Function | ast.ClassDef)]
    named = [one for one in defined if one.name == name][-1:]
    asked = named or defined
    if any(_is_unwritten(one, program.splitlines()) for one in named):
        return "placeholder"
    if not named and _most_unwritten(defined, program.splitlines()):
        return "placeholder"
    if any(isinstance(one, _Function) and _ignores_arguments(one) for one in asked):
        return "ignores_arguments"
    return None


def _is_unwritten(one: _Function | ast.ClassDef, lines: list[str]) -> bool:
    if isinstance(one, _Function):
        return _is_placeholder(one.body) or _has_todo(one, lines)
    return _is_placeholder(one.body) or _most_unwritten(_methods(one), lines)


def _most_unwritten(defined: Sequence[_Function | ast.ClassDef], lines: list[str]) -> bool:
    """Whether most are placeholders: one empty method among others may be as it should."""
    unwritten = sum(_is_unwritten(one, lines) for one in defined)
    return 2 * unwritten > len(defined)


def _methods(one: ast.ClassDef) -> list[_Function | ast.ClassDef]:
    return [inner for inner in one.body if isinstance(inner, _Function | ast.ClassDef)]


def _is_placeholder(body: list[ast.stmt]) -> bool:
    return all(map(_says_nothing, body))


def _says_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Return):
        value = statement.value
        return value is None or (isinstance(value, ast.Constant) and value.value in (None, ...))
    if isinstance(statement, ast.Raise) and statement.exc:
        raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(statement, ast.Pass)


def _has_todo(function: _Function, lines: list[str]) -> bool:
    comments = (line.partition("#")[2] for line in lines[function.lineno - 1 : function.end_lineno])
    return any(map(_TODO.search, comments))


def _ignores_arguments(function: _Function) -> bool:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    names = {one.arg for one in every if one} - {"self", "cls"}
    read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return bool(names) and not names & read
