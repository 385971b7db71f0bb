"""Questions about code with one short right answer, made from its syntax.

A question is left out where its answer is not the only one: where two definitions have the name it asks for,
or where what it answers says next to nothing (``None``, ``object``, ``Any``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .code_names import CODE_KINDS, Names, is_aside, summary_of, words_in
from .python_facts import ClassFacts, FunctionFacts, PythonFacts
from .python_reading import is_literal, unquoted
from .question_wordings import FORMS, WORDINGS
from .remembered_file import IndexedFile, names_of_path
from .span_wordings import SPAN_FORMS, SPAN_WORDINGS

_LONGEST = 60
"""Characters of an answer, and of a condition that is asked about."""

_EMPTY = frozenset({"None", "Any", "object", "...", "''", '""', "NoReturn", "bool", "Self"})
"""Answers that anybody would give."""

_FEWEST_WORDS, _LONGEST_SAID = 4, 200
"""Words and characters of a sentence by which something can be asked for."""

_ASIDE = "private, special or a test"
_AMBIGUOUS = "the name is not the only one"


@dataclass(frozen=True, slots=True)
class CodeQuestion:
    """Something that can be asked in several words.

    Attributes:
        kind: a key of ``WORDINGS``.
        symbol: what stands at the margin of the file and is asked about, or that which holds it.
        facts: what fills the wordings.
        answers: all right ones, that to be learnt first.
        first, last: lines that the answer can be read from; of a span they are the answer.
        is_span: whether the answer is lines of code.
    """

    kind: str
    symbol: str
    facts: Mapping[str, str]
    answers: tuple[str, ...]
    first: int
    last: int
    is_span: bool = False

    def wordings(self, languages: Sequence[str], *, kept: bool) -> list[str]:
        """Every way to ask it, with what the answer is to look like; those kept for exams or the others."""
        asked: list[str] = []
        known, forms = (SPAN_WORDINGS, SPAN_FORMS) if self.is_span else (WORDINGS, FORMS)
        for language in languages:
            words = known.get(language, {}).get(self.kind)
            if words is not None:
                form = forms[language][words.form]
                asked += [
                    f"{one.format(**self.facts)} {form}" for one in (words.kept if kept else words.asked)
                ]
        return asked


def questions_of(file: IndexedFile, facts: PythonFacts | None, names: Names) -> Iterator[CodeQuestion | str]:
    """Every question about a file; where one cannot be asked, the reason."""
    paths = names_of_path(file, names.files)
    if facts is None:
        yield from _of_chunks(file, names, paths)
        return
    values = {one.name: one.value for one in facts.constants if is_literal(one.value)}
    for function in facts.functions:
        yield from _of_function(function, names, paths, values)
    for one in facts.classes:
        yield from _of_class(one, values, names, paths)
    for constant in facts.constants:
        if is_aside(constant.name):
            yield _ASIDE
        elif names.top[constant.name] > 1:
            yield _AMBIGUOUS
        else:
            asked = {"name": constant.name, "file": file.shown}
            line = (constant.line, constant.line)
            yield _value("constant", constant.name, asked, constant.value, {}, *line)


def _of_function(
    one: FunctionFacts, names: Names, paths: tuple[str, ...], values: Mapping[str, str]
) -> Iterator[CodeQuestion | str]:
    if is_aside(one.name) and one.name != "__init__":
        yield _ASIDE
        return
    if not names.is_clear(one):
        yield _AMBIGUOUS
        return
    makes = one.name == "__init__"
    symbol, lines = one.owner or one.name, (one.first, one.last)
    about = {"name": one.owner if makes else one.called}
    if not one.owner:
        yield CodeQuestion("file", symbol, about | {"what": "function"}, paths, *lines)
    elif not makes and names.bare[one.name] == 1 and names.top[one.name] == 0:
        yield CodeQuestion("owner", symbol, {"name": one.name}, (one.owner,), *lines)
    if one.parameters and "property" not in one.decorators:
        listed = ", ".join(parameter.name for parameter in one.parameters)
        bare = ", ".join(parameter.name.lstrip("*") for parameter in one.parameters)
        yield _short("arguments", symbol, about, listed, *lines, others=(bare,), longest=2 * _LONGEST)
    for parameter in one.parameters:
        asked = about | {"parameter": parameter.name.lstrip("*")}
        if parameter.default is not None:
            yield _value("default", symbol, asked, parameter.default, values, *lines)
        if parameter.annotation:
            yield _type("annotation", symbol, asked, parameter.annotation, *lines)
    if one.returns and not makes:
        yield _type("awaited" if one.is_awaited else "returns", symbol, about, one.returns, *lines)
    yield from _raising(one, symbol, about)
    if not makes:
        said = {"what": "method" if one.owner else "function", "said": summary_of(one.docstring)}
        yield from _purpose(one.called, (one.name,), symbol, said, names, lines)


def _raising(one: FunctionFacts, symbol: str, about: dict[str, str]) -> Iterator[CodeQuestion | str]:
    lines = (one.first, one.last)
    kinds = {raised.exception for raised in one.raised}
    if len(kinds) == 1:
        yield _exception("raises", symbol, about, kinds.pop(), *lines)
        return
    by_condition: dict[str, set[str]] = {}
    for raised in one.raised:
        by_condition.setdefault(raised.condition, set()).add(raised.exception)
    for condition, found in by_condition.items():
        if condition and len(condition) <= _LONGEST and len(found) == 1 and "`" not in condition:
            asked = about | {"condition": condition}
            yield _exception("raises_when", symbol, asked, found.pop(), *lines)


def _exception(
    kind: str, symbol: str, about: Mapping[str, str], raised: str, first: int, last: int
) -> CodeQuestion | str:
    """A raised name in small letters is a variable, and not what is raised."""
    last_name = raised.rsplit(".", 1)[-1]
    if not last_name[:1].isupper():
        return "the answer says nothing"
    return _short(kind, symbol, about, raised, first, last, others=(last_name,))


def _of_class(
    one: ClassFacts, values: Mapping[str, str], names: Names, paths: tuple[str, ...]
) -> Iterator[CodeQuestion | str]:
    if is_aside(one.name):
        yield _ASIDE
        return
    if names.top[one.name] > 1:
        yield _AMBIGUOUS
        return
    about, lines = {"name": one.name}, (one.first, one.last)
    yield CodeQuestion("file", one.name, about | {"what": "class"}, paths, *lines)
    if len(one.bases) == 1:
        base = one.bases[0]
        bare = base.split("[")[0].rsplit(".", 1)[-1]
        yield _short("base", one.name, about, base, *lines, others=(bare,))
    for each in one.fields:
        if not each.name.startswith("_"):
            asked = about | {"parameter": each.name}
            yield _type("field", one.name, asked, each.annotation, *lines)
            if one.is_dataclass and each.default is not None:
                yield _value("default", one.name, asked, each.default, values, *lines)
    said = {"what": "class", "said": summary_of(one.docstring)}
    yield from _purpose(one.name, (), one.name, said, names, lines)


def _of_chunks(file: IndexedFile, names: Names, paths: tuple[str, ...]) -> Iterator[CodeQuestion | str]:
    """Where the parser of Python cannot look: where a definition is, and which one is described so."""
    for chunk in file.chunks:
        if chunk.kind not in CODE_KINDS or not chunk.name or "," in chunk.name or chunk.header:
            continue
        if is_aside(chunk.name.rsplit(".", 1)[-1]):
            yield _ASIDE
        elif names.top[chunk.name] > 1:
            yield _AMBIGUOUS
        else:
            symbol, lines = chunk.name.split(".", 1)[0], (chunk.start_line, chunk.end_line)
            what = {"what": chunk.kind}
            yield CodeQuestion("file", symbol, what | {"name": chunk.name}, paths, *lines)
            said = what | {"said": summary_of(chunk.description)}
            last = chunk.name.rsplit(".", 1)[-1]
            yield from _purpose(chunk.name, (last,), symbol, said, names, lines)


def _purpose(
    name: str,
    others: tuple[str, ...],
    symbol: str,
    asked: Mapping[str, str],
    names: Names,
    lines: tuple[int, int],
) -> Iterator[CodeQuestion | str]:
    said = asked["said"]
    if not said:
        return
    told = {word.casefold() for word in words_in(said)}
    if reason := why_not_asked_by(said, names):
        yield reason
    elif all(word in told for word in words_in(name.rsplit(".", 1)[-1])):
        yield "the documentation says the name"
    else:
        answers = tuple(dict.fromkeys((name, *others)))
        yield CodeQuestion("purpose", symbol, asked, answers, *lines)


def why_not_asked_by(said: str, names: Names) -> str:
    """Why a sentence of the documentation is none that something can be asked for by; empty where it is."""
    if len(said.split()) < _FEWEST_WORDS or len(said) > _LONGEST_SAID or '"' in said:
        return "the documentation is too short or too long to ask by"
    return "the documentation is not the only one" if names.said[said] > 1 else ""


def _value(
    kind: str,
    symbol: str,
    about: Mapping[str, str],
    written: str,
    values: Mapping[str, str],
    first: int,
    last: int,
) -> CodeQuestion | str:
    """A value is one that can be read: a literal, or a constant of the same file, whose name is right too.

    Args:
        values: of the constants.
    """
    value = values.get(written, written)
    if not is_literal(value):
        return "the value is an expression"
    return _short(kind, symbol, about, value, first, last, others=(written,))


def _type(
    kind: str, symbol: str, about: Mapping[str, str], written: str, first: int, last: int
) -> CodeQuestion | str:
    """A type; as it is written is right too."""
    return _short(kind, symbol, about, unquoted(written), first, last, others=(written,))


def _short(
    kind: str,
    symbol: str,
    about: Mapping[str, str],
    answer: str,
    first: int,
    last: int,
    *,
    others: Iterable[str] = (),
    longest: int = _LONGEST,
) -> CodeQuestion | str:
    bare = answer.strip("'\"")
    if not bare.strip() or answer in _EMPTY or answer == "None":
        return "the answer says nothing"
    if len(answer) > longest or "\n" in answer:
        return "the answer is long"
    return CodeQuestion(kind, symbol, about, tuple(dict.fromkeys((answer, *others))), first, last)
