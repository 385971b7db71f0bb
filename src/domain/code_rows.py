"""Rows made from code: a question and its answer, a function and its docstring, a hole and what fills it.

Fill in the middle is after Bavarian et al., "Efficient training of language models to fill in the middle"
(arXiv:2207.14255), with the hole named in words and with lines that are whole statements.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from .code_answer import parsed
from .code_names import is_aside, words_in
from .code_questions import CodeQuestion
from .conversation import Conversation, Message, Role
from .doctest_cases import tests_of_docstring
from .document import Chunk
from .made_row import MadeRow, drawn
from .python_facts import FunctionFacts, PythonFacts
from .python_reading import dedented
from .remembered_file import IndexedFile

KINDS = ("question", "span", "docstring", "code", "fill")
"""What can be made, in the order in which it is told."""

HOLE = "<missing lines>"
"""What stands in the place of lines that are to be filled in."""

_LONGEST = 6_000
"""Characters of a row's code."""

_SHORTEST_ALIKE = 40
"""Characters, blanks apart, from which the same code or the same words are a copy and not a coincidence."""

_FEWEST_WORDS = 4
_LARGEST_HOLE = 5
_SAYS_NOTHING = frozenset(
    re.findall(
        r"\w+",
        "a an the of for to in on and or is are be it its this that with by from as at "
        "return returns get gets set sets function method class value given",
    )
)
_LICENCE = re.compile(r"copyright|licensed under|spdx-license", re.I)
_TRIVIAL = re.compile(
    r"(?:return(?: [\w.]+)?;?|pass|continue|break|else:|try:|finally:|\.\.\.|[\]})\s,:;]*"
    r"|.*[=(,: ](?:\[\]|\{\}|\(\)|\"\"|''|(?:set|list|dict|tuple)\(\))[)\]};, ]*)"
)

_DOCSTRING = (
    "Write the docstring of this {what} of `{file}`.",
    "Document this {what}; it is from `{file}`. Give the docstring alone.",
    "This {what} of `{file}` has lost its docstring. What did it say?",
)
_CODE = (
    "Write the Python {what} `{signature}` of `{file}`.",
    "Implement `{signature}`, a {what} of `{file}`, in Python.",
    "How is the {what} `{signature}` of `{file}` written?",
)
_FILL = (
    "These lines of `{file}` have a hole. Which lines stand where it says {hole}?",
    "Fill in what is missing at {hole} in this part of `{file}`. Give the missing lines alone.",
    "Here is a part of `{file}`; some lines are gone. Write those that {hole} stands for.",
)


def question_row(
    question: CodeQuestion, wordings: Sequence[str], chosen: int, file: IndexedFile, generation: str
) -> MadeRow:
    """A question in one of its wordings; the others go along as variants."""
    variants = [*wordings[:chosen], *wordings[chosen + 1 :]]
    fact = f"{file.path}:{question.symbol}:{question.kind}:{sorted(question.facts.items())}"
    reference: dict[str, Any] = {"answers": list(question.answers), "task": "answer"}
    kind, answer = "question", question.answers[0]
    if question.is_span:
        kind, answer = "span", f"```python\n{answer}\n```"
        reference["compare"] = "python"
    lines = (question.first, question.last)
    return _row(
        kind, wordings[chosen], answer, reference, file, lines, generation,
        groups=(question.symbol,), fact=fact, variants=variants, extra={"asks": question.kind},
    )  # fmt: skip


def docstring_row(one: FunctionFacts, file: IndexedFile, seed: int, generation: str) -> MadeRow | str:
    """A function without its docstring, and the docstring; or why there is none."""
    if reason := why_no_docstring(one) or _why_no_code(one):
        return reason
    asked = f"{_worded(_DOCSTRING, one, file, seed)}\n\n```python\n{one.code}\n```"
    reference = {"text": one.docstring, "task": "chat"}
    lines = (one.first, one.last)
    return _row(
        "docstring", asked, one.docstring, reference, file, lines, generation,
        groups=_groups(one), alike=_alike(one),
    )  # fmt: skip


def code_row(
    one: FunctionFacts, facts: PythonFacts, file: IndexedFile, seed: int, generation: str
) -> MadeRow | str:
    """Signature and docstring, and the function. Examples that can be run come along as tests."""
    if reason := why_no_docstring(one) or _why_no_code(one):
        return reason
    asked = f"{_worded(_CODE, one, file, seed)}\n\n{one.docstring}"
    reference: dict[str, Any] = {"entry_point": one.name, "task": "coding"}
    code = one.code
    needed = _needed_imports(one, facts)
    tests = "" if needed is None else tests_of_docstring(one.docstring, one.name)
    if needed is not None and tests:
        code = "\n".join([*needed, *([""] * bool(needed)), code])
        reference["tests"] = tests
    answer = f"```python\n{code}\n```"
    lines = (one.first, one.last)
    return _row(
        "code", asked, answer, reference, file, lines, generation, groups=_groups(one), alike=_alike(one)
    )


def _alike(one: FunctionFacts) -> frozenset[str]:
    """Digests of a function's syntax and of the words of its docstring, where they are long enough."""
    texts = {one.code: _syntax(one.code), one.docstring: " ".join(one.docstring.split())}
    told = [text for said, text in texts.items() if len("".join(said.split())) >= _SHORTEST_ALIKE]
    return frozenset(sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in told)


def _syntax(code: str) -> str:
    """Without comments and blanks, which a copy may have lost."""
    tree = parsed(code)
    try:
        return ast.dump(tree) if tree else code
    except RecursionError:
        return code


def _needed_imports(one: FunctionFacts, facts: PythonFacts) -> list[str] | None:
    """The imports that a function runs with alone; None where they are not all it needs."""
    if one.owner or one.decorators:
        return None
    standard = [known for known in facts.imports if known.module in sys.stdlib_module_names]
    lacking = one.needs - frozenset(dir(builtins)) - {one.name}
    if not lacking <= frozenset[str]().union(*(known.names for known in standard)):
        return None
    return [known.text for known in standard if known.names & lacking]


def why_no_docstring(one: FunctionFacts) -> str | None:
    """Why a docstring teaches nothing."""
    if not one.docstring:
        return "no docstring"
    if one.name.startswith("test"):
        return "private, special or a test"
    words = words_in(one.docstring)
    if len(words) < _FEWEST_WORDS:
        return "the docstring is short"
    known = _SAYS_NOTHING | set(words_in(one.called))
    if all(word in known or word.rstrip("s") in known for word in words):
        return "the docstring says the name"
    return "a licence" if _LICENCE.search(one.docstring) else None


def _why_no_code(one: FunctionFacts) -> str | None:
    if not one.code or parsed(one.code) is None:
        return "its lines cannot be told apart"
    body = [line for line in one.code.split("\n") if line.strip()]
    if len(body) < 2 or _says_nothing(one.code):
        return "no body"
    return "long" if len(one.code) + len(one.docstring) > _LONGEST else None


def _says_nothing(code: str) -> bool:
    """Whether the body is ``...``, ``pass`` or a ``raise NotImplementedError``."""
    last = code.rsplit("\n", 1)[-1].strip()
    is_stub = last in ("...", "pass") or last.startswith("raise NotImplementedError")
    return is_stub and len([line for line in code.split("\n") if line.startswith("    ")]) == 1


def fill_rows(
    file: IndexedFile, facts: PythonFacts | None, seed: int, generation: str
) -> Iterator[MadeRow | str]:
    """A hole in every chunk that has room for one."""
    top = list(facts.top_level() if facts else _chunk_names(file))
    for chunk in file.chunks:
        if chunk.kind in ("function", "class", "module") and chunk.readable is None:
            spots = _spots(chunk, facts)
            if not spots:
                yield "no lines that can be filled in"
                continue
            first, last = spots[drawn(seed, "fill", file.path, chunk.start_line) % len(spots)]
            groups = tuple(
                name for name, begin, end in top if begin <= chunk.end_line and end >= chunk.start_line
            )
            yield _filled(chunk, first, last, file, seed, generation, groups)


def _chunk_names(file: IndexedFile) -> Iterator[tuple[str, int, int]]:
    for chunk in file.chunks:
        for name in chunk.name.split(","):
            if name.strip():
                yield name.strip().split(".", 1)[0], chunk.start_line, chunk.end_line


def _spots(chunk: Chunk, facts: PythonFacts | None) -> list[tuple[int, int]]:
    """(first, last) lines of a chunk that could be a hole: statements, or in other languages lines."""
    lines = chunk.text.split("\n")
    if len(lines) < 5 or len(chunk.text) > _LONGEST:
        return []
    begin, end = chunk.start_line, chunk.end_line
    whole = facts is not None and chunk.text.endswith("\n")
    inside = [(line, line) for line in range(begin + 1, end)] if facts is None else facts.spots
    return [
        (first, last)
        for first, last in inside
        if begin < first and last < end + whole and last - first < _LARGEST_HOLE
        and _is_telling(hole := lines[first - begin : last - begin + 1])
        and not _is_shown(hole, [*lines[: first - begin], *lines[last - begin + 1 :]])
    ]  # fmt: skip


def _is_telling(lines: Sequence[str]) -> bool:
    text = "\n".join(lines).strip()
    return (
        len(text) >= 12 and not _TRIVIAL.fullmatch(text) and not text.startswith(("#", "//", "/*", "*", "--"))
    )


def _is_shown(hole: Sequence[str], around: Sequence[str]) -> bool:
    """Whether all its lines stand around it too: which of them is missing, nobody can say."""
    return {line.strip() for line in hole} <= {line.strip() for line in around}


def _filled(
    chunk: Chunk, first: int, last: int, file: IndexedFile, seed: int, generation: str, groups: Sequence[str]
) -> MadeRow | str:
    lines = [line.rstrip("\r") for line in chunk.text.rstrip("\n").split("\n")]
    hole = lines[first - chunk.start_line : last - chunk.start_line + 1]
    before, after = lines[: first - chunk.start_line], lines[last - chunk.start_line + 1 :]
    margin = hole[0][: len(hole[0]) - len(hole[0].lstrip())]
    shown = "\n".join([*before, f"{margin}{HOLE}", *after])
    if "```" in shown or HOLE in chunk.text:
        return "its lines cannot be told apart"
    wording = _FILL[drawn(seed, "words", file.path, first) % len(_FILL)]
    asked = wording.format(file=file.shown, hole=HOLE) + f"\n\n```{chunk.language}\n{shown}\n```"
    missing = dedented(hole)
    compared = "python" if file.is_python else "lines"
    reference = {"answers": [missing], "compare": compared, "task": "answer"}
    answer = f"```{chunk.language}\n{missing}\n```"
    return _row("fill", asked, answer, reference, file, (first, last), generation, groups=groups)


def _groups(one: FunctionFacts) -> tuple[str]:
    return (one.owner or one.name,)


def _worded(wordings: Sequence[str], one: FunctionFacts, file: IndexedFile, seed: int) -> str:
    what = f"method of the class `{one.owner}`" if one.owner else "function"
    chosen = wordings[drawn(seed, "words", file.path, one.called, one.first) % len(wordings)]
    return chosen.format(what=what, file=file.shown, signature=one.signature)


def _row(
    kind: str,
    asked: str,
    answer: str,
    reference: Mapping[str, Any],
    file: IndexedFile,
    lines: tuple[int, int],
    generation: str,
    *,
    groups: Sequence[str],
    fact: str = "",
    variants: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
    alike: frozenset[str] = frozenset(),
) -> MadeRow:
    origin = {"path": file.path, "lines": list(lines), "sha": file.sha, "generation": generation}
    return MadeRow(
        kind,
        Conversation((Message(Role.USER, asked), Message(Role.ASSISTANT, answer)), reference=reference),
        origin,
        frozenset(f"{file.path}:{name}" for name in groups) or frozenset({file.path}),
        fact,
        variants,
        extra or {},
        alike,
    )


def is_wanted(one: FunctionFacts) -> bool:
    """Whether rows are made of a function besides questions."""
    return not is_aside(one.name) or one.name == "__init__"
