"""Rows made of the code that a memory holds: right, clear, never twice, and the same every time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.adapters.reward.answer_reward import AnswerReward
from cesello.application.make_rows_from_memory import MakeRowsFromMemory, MakeRowsRequest, RowsMade
from cesello.domain.code_rows import HOLE
from cesello.domain.code_tests import Grade
from cesello.domain.document import Chunk
from cesello.domain.errors import DataError, Interrupted
from cesello.domain.made_row import MadeRow
from cesello.domain.remembered import FileMark, RememberedFile, Selection, key_of
from cesello.domain.reward import Attempt, Verdict
from cesello.domain.short_answer import is_one_of
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.examples import FakeNearCopies
from tests.fakes.run import FakeStop, RecordingObserver
from tests.fakes.sandbox import FakeSandbox

STORE = '''\
"""Where things are kept."""

import re

LARGEST_CAKE = 40


class CakeStore(Shelf):
    """Keeps cakes until they are eaten by somebody."""

    def __init__(self, shelves: int = 3, door: str = "open") -> None:
        self.shelves = shelves

    def put_away(self, cake: Cake, *, shelf: int = 2) -> list[Cake]:
        """Puts a cake where it stays cool, and says what is beside it now.

        Raises when it is too large.
        """
        if cake.size > LARGEST_CAKE:
            raise CakeError("too large")
        if not self.shelves:
            raise ValueError("no room")
        self.cakes.append(cake)
        return self.cakes[-shelf:]

    def get(self, name):
        """Get the cake of this store."""
        return self.cakes[name]


def slices_of(cake: float, guests: int = 8) -> tuple[float, ...]:
    """How large the piece of every guest is when all of them get the same.

    >>> slices_of(8, 2)
    (4.0, 4.0)
    """
    share = cake / guests
    return (share,) * guests


def common(a, b=None):
    """One of two that are called the same everywhere in here."""
    return a or b
'''
OTHER = '''\
def common(a):
    """Another one which is called like the first of them all."""
    print("other")
    return a


def test_common(value: int = 5) -> int:
    """Tests whether the common one works as it should."""
    assert value
    return value


def _hidden(value: int = 6) -> int:
    return value
'''
LINE = STORE.splitlines().index(next(line for line in STORE.splitlines() if "def slices_of" in line)) + 1
BAKE = """\
function bakeCake(flour, sugar) {
  const bowl = mix(flour, sugar);
  if (bowl.isEmpty()) {
    throw new Error("nothing to bake");
  }
  return heat(bowl, 180);
}
"""


def remembered(path: str, text: str, chunks: Sequence[Mapping[str, Any]] = ({},)) -> RememberedFile:
    data = text.encode()
    made = [
        Chunk(
            **{
                "path": path, "start": 0, "end": len(data), "start_line": 1,
                "end_line": text.count("\n"), "text": text, "language": "python", "kind": "module", **one,
            }
        )
        for one in chunks
    ]  # fmt: skip
    mark = FileMark(path, len(data), 1, sha256(data).hexdigest())
    return RememberedFile(mark, made, [key_of(one.text) for one in made])


JS = {
    "language": "javascript",
    "kind": "function",
    "name": "bakeCake",
    "description": "Bakes what is in the bowl.",
}
FILES = (
    remembered("lib/sweet/store.py", STORE),
    remembered("lib/sweet/other.py", OTHER),
    remembered("lib/sweet/bake.js", BAKE, [JS]),
)


def make(
    *files: RememberedFile,
    sandbox: FakeSandbox | None = None,
    stop: FakeStop | None = None,
    **asked: Any,
) -> RowsMade:
    store = FakeChunkStore()
    with store.writer():
        store.put(files or FILES, {})
        store.set_roots(["lib/sweet"])
    box = sandbox or FakeSandbox(otherwise=Grade(Verdict.PASSED, 1, 1))
    use_case = MakeRowsFromMemory(
        store, FakeNearCopies(), lambda: box, RecordingObserver(), stop or FakeStop()
    )
    return use_case(MakeRowsRequest(**asked))


def turns(row: MadeRow) -> tuple[str, str]:
    asked, said = row.conversation.messages
    return asked.content, said.content


def answers(made: RowsMade) -> dict[tuple[str, str], set[str]]:
    """By what is asked and by the symbol."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in made.rows:
        if row.kind == "question":
            [group] = row.groups
            found.setdefault((row.extra["asks"], group.split(":")[1]), set()).add(turns(row)[1])
    return found


def test_every_sort_of_question_has_its_answer() -> None:
    found = answers(make(kinds=("question",)))
    assert found == {
        ("file", "CakeStore"): {"sweet/store.py"},
        ("file", "slices_of"): {"sweet/store.py"},
        ("file", "bakeCake"): {"sweet/bake.js"},
        ("owner", "CakeStore"): {"CakeStore"},
        ("base", "CakeStore"): {"Shelf"},
        ("constant", "LARGEST_CAKE"): {"40"},
        ("arguments", "CakeStore"): {"shelves, door", "cake, shelf", "name"},
        ("arguments", "slices_of"): {"cake, guests"},
        ("default", "CakeStore"): {"3", "'open'", "2"},
        ("default", "slices_of"): {"8"},
        ("annotation", "CakeStore"): {"int", "str", "Cake"},
        ("annotation", "slices_of"): {"float", "int"},
        ("returns", "CakeStore"): {"list[Cake]"},
        ("returns", "slices_of"): {"tuple[float, ...]"},
        ("raises_when", "CakeStore"): {"CakeError", "ValueError"},
        ("purpose", "CakeStore"): {"CakeStore", "CakeStore.put_away"},
        ("purpose", "slices_of"): {"slices_of"},
        ("purpose", "bakeCake"): {"bakeCake"},
    }


def test_a_name_that_two_have_is_asked_for_by_nothing() -> None:
    made = make(kinds=("question",))
    assert not any("common" in turns(row)[0] or "common" in turns(row)[1] for row in made.rows)
    assert made.left_out["question"]["the name is not the only one"] == 2
    alone = make(kinds=("question",), only=Selection(paths=("*store.py",)))
    assert not any("`common`" in turns(row)[0] for row in alone.rows)  # the other one is there all the same


def test_a_row_says_where_it_is_from_and_what_else_is_right() -> None:
    [row] = [
        row for row in make(kinds=("question",), wordings=1).rows
        if row.extra["asks"] == "file" and "`slices_of`" in turns(row)[0]
    ]  # fmt: skip
    line = json.loads(row.line())
    assert line["kind"] == "question"
    assert line["reference"] == {
        "answers": ["sweet/store.py", "lib/sweet/store.py", "store.py", "sweet.store"],
        "task": "answer",
    }
    assert line["from"] == {
        "path": "lib/sweet/store.py",
        "lines": [LINE, LINE + 7],
        "sha": sha256(STORE.encode()).hexdigest(),
        "generation": make().generation,
    }
    assert line["variants"]
    assert line["messages"][0]["content"] not in line["variants"]


def test_lines_of_the_code_are_quoted_that_answer_a_question() -> None:
    made = make(kinds=("span",), wordings=1)
    found = {row.extra["asks"] + str(row.origin["lines"]): row for row in made.rows}
    row = found["raised[19, 20]"]
    question, answer = turns(row)
    assert "`CakeStore.put_away`" in question
    assert "`CakeError`" in question
    assert answer == '```python\nif cake.size > LARGEST_CAKE:\n    raise CakeError("too large")\n```'
    assert STORE.split("\n")[18].strip() == "if cake.size > LARGEST_CAKE:"
    [right, wrong] = AnswerReward().score(
        [Attempt(row.conversation.prompt(), said) for said in (answer, answer.replace("CAKE", "Cake"))]
    )
    assert (right.score, wrong.score) == (1.0, 0.0)
    assert f"headed[{LINE}, {LINE}]" in found
    assert not [row for row in made.rows if "common" in turns(row)[0]]  # two are called so
    assert made.left_out["span"]["the name is not the only one"] == 2


def test_a_raise_that_gives_no_reason_and_a_short_comment_are_not_asked_for() -> None:
    text = "def work(a):\n    # Go on\n    a.go_on_with(a)\n\n    raise CakeError\n"
    made = make(remembered("w.py", text), kinds=("span",))
    assert made.rows == []
    assert made.left_out["span"] == {
        "the answer says nothing": 1, "the comment is too short or too long to ask by": 1,
    }  # fmt: skip


def test_held_out_spans_are_trained_on_in_other_words() -> None:
    made = make(kinds=("span",), holdout=0.5, by_question=True)
    said = {turns(row)[0] for row in made.rows}
    assert made.held
    for row in made.held:
        assert turns(row)[0] not in said
        assert turns(row)[1] in {turns(one)[1] for one in made.rows if one.fact == row.fact}


def test_docstrings_and_code_ask_for_each_other() -> None:
    made, code = make(kinds=("docstring",)), make(kinds=("code",))
    rows = {(row.kind, next(iter(row.groups)).split(":")[1]): turns(row) for row in made.rows + code.rows}
    asked, said = rows["docstring", "slices_of"]
    assert "share = cake / guests" in asked
    assert "How large" not in asked
    assert said.startswith("How large the piece of every guest is")
    asked, said = rows["code", "slices_of"]
    assert "slices_of(cake: float, guests: int=8) -> tuple[float, ...]" in asked
    assert "How large the piece" in asked
    assert said.startswith("```python\ndef slices_of(cake")
    assert "How large" not in said
    assert made.left_out["docstring"]["the docstring says the name"] == 1
    assert code.left_out["code"]["no docstring"] == 1  # the constructor's
    assert not any("test_common" in turns(row)[0] or "_hidden" in turns(row)[0] for row in made.rows)


def test_what_fills_a_hole_is_what_was_there() -> None:
    made = make(kinds=("fill",))
    texts = {file.mark.path: file.chunks[0].text for file in FILES}
    assert {row.origin["path"] for row in made.rows} == set(texts)
    for row in made.rows:
        asked, said = turns(row)
        lines = texts[row.origin["path"]].split("\n")
        first, last = row.origin["lines"]
        missing = [line.strip() for line in said.split("\n")[1:-1]]
        assert missing == [line.strip() for line in lines[first - 1 : last]]
        shown = asked.partition("\n\n```")[2].partition("\n")[2].removesuffix("\n```").split("\n")
        place = next(at for at, line in enumerate(shown) if line.strip() == HOLE)
        assert [*shown[:place], *lines[first - 1 : last], *shown[place + 1 :]] == lines[:-1]


def test_what_can_be_run_is_run() -> None:
    box = FakeSandbox(otherwise=Grade(Verdict.PASSED, 1, 1))
    made = make(kinds=("code",), sandbox=box)
    assert (made.checked.passed, made.checked.failed, box.closed) == (1, 0, 1)
    [[grading]] = box.graded
    assert "def slices_of" in grading.program
    assert grading.tests.code == "assert (slices_of(8, 2)) == (4.0, 4.0)"
    assert [row.extra.get("checked") for row in made.rows if "slices_of" in turns(row)[0]] == ["run"]


def test_what_fails_is_left_out() -> None:
    made = make(kinds=("code",), sandbox=FakeSandbox())
    assert (made.checked.passed, made.checked.failed) == (0, 1)
    assert not any("slices_of" in turns(row)[0] for row in made.rows)
    assert made.left_out["code"]["its examples fail when they are run"] == 1


@pytest.mark.parametrize(
    ("asked", "sandbox", "why"),
    [
        ({"run": False}, FakeSandbox(), "not asked for"),
        ({}, FakeSandbox(broken=True), "nothing can hold programs here"),
        ({}, FakeSandbox(otherwise=Grade(Verdict.INFRA_ERROR, 0, 0)), "the sandbox could not tell"),
        ({}, FakeSandbox(otherwise=Grade(Verdict.TIMEOUT, 0, 1)), "the sandbox could not tell"),
        ({}, FakeSandbox(otherwise=Grade(Verdict.LIMIT, 0, 1)), "the sandbox could not tell"),
    ],
)
def test_what_was_not_run_is_said(asked: dict[str, Any], sandbox: FakeSandbox, why: str) -> None:
    made = make(kinds=("code",), sandbox=sandbox, **asked)
    assert made.checked.unrun[why] == 1
    [row] = [row for row in made.rows if "slices_of" in turns(row)[0]]
    assert "checked" not in row.extra
    assert "tests" not in row.conversation.reference


def test_held_out_symbols_are_in_no_other_row() -> None:
    for seed in range(5):
        made = make(holdout=0.4, seed=seed)
        held = {group for row in made.held for group in row.groups}
        assert held
        assert made.rows
        assert held.isdisjoint(group for row in made.rows for group in row.groups)


def test_held_out_questions_are_trained_on_in_other_words() -> None:
    made = make(kinds=("question",), holdout=0.3, by_question=True, wordings=9)
    trained = {row.fact: row for row in made.rows}
    said = {turns(row)[0] for row in made.rows}
    assert made.held
    for row in made.held:
        assert turns(row)[0] not in said
        assert turns(trained[row.fact])[1] == turns(row)[1]


def test_a_held_out_share_of_nothing_is_nothing() -> None:
    assert make().held == []
    assert make(by_question=True).held == []


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 0.9), st.booleans(), st.integers(1, 40), st.permutations(FILES))
def test_the_same_memory_and_seed_give_the_same_bytes(
    seed: int, holdout: float, by_question: bool, limit: int, files: list[RememberedFile]
) -> None:
    asked: dict[str, Any] = {"seed": seed, "holdout": holdout, "by_question": by_question, "limit": limit}
    one, two = make(**asked), make(*files, **asked)
    assert [row.line() for row in one.rows] == [row.line() for row in two.rows]
    assert [row.line() for row in one.held] == [row.line() for row in two.held]
    assert len(one.rows) + len(one.held) <= limit
    texts = [turns(row) for row in (*one.rows, *one.held)]
    assert len(texts) == len(set(texts))


def test_a_limit_takes_of_every_kind() -> None:
    made = make(limit=12)
    assert {row.kind for row in made.rows} == {"question", "span", "docstring", "code", "fill"}
    assert sum(made.left_out[kind]["beyond the limit"] for kind in made.left_out) > 0


def test_copies_are_left_out() -> None:
    again = remembered("lib/sweet/again.py", STORE)
    made = make(*FILES, again, kinds=("fill",))
    assert any("copy" in reason for reason in made.left_out["fill"])


def test_a_question_with_two_answers_is_no_question() -> None:
    overloads = "class A:\n" + "".join(
        f"    def go_on(self, a: {kind}) -> {kind}:\n        return a\n\n" for kind in ("Cat", "Dog")
    )
    made = make(remembered("a.py", overloads), kinds=("question",))
    assert answers(made) == {("file", "A"): {"a.py"}}


def test_secrets_and_control_characters_are_left_out() -> None:
    text = '''\
def connect(host: str, token: str = "ghp_0123456789abcdefghijABCDEFGHIJ") -> Connection:
    """Connects to the host that was named, or says why it cannot."""
    if not host:
        raise HostError("ghp_0123456789abcdefghijABCDEFGHIJ")
    return Connection(host, token)


BELL = "\\x07"
'''
    made = make(remembered("net.py", text.replace("\\x07", "\x0b")), limit=None)
    for row in (*made.rows, *made.held):
        assert "ghp_" not in row.line()
        assert "\x0b" not in row.words()
    assert made.left_out["code"] == {"it may tell a secret": 1}


@pytest.mark.parametrize("code", ["def f(:\n", "x = " + "(" * 5_000, "\x00", "def f(): pass\n" * 20_000])
def test_what_is_no_python_gives_no_rows_and_no_error(code: str) -> None:
    made = make(remembered("bad.py", code), kinds=("question", "docstring", "code"))
    assert made.rows == []


def test_an_empty_memory_and_an_empty_selection_are_told() -> None:
    store = FakeChunkStore()
    use_case = MakeRowsFromMemory(store, FakeNearCopies(), FakeSandbox, RecordingObserver(), FakeStop())
    with pytest.raises(DataError, match="D080"):
        use_case(MakeRowsRequest())
    with pytest.raises(DataError, match="D080"):
        make(only=Selection(paths=("nowhere",)))


def test_a_stop_is_heard() -> None:
    with pytest.raises(Interrupted):
        make(stop=FakeStop(at_check=2))


def test_italian_questions() -> None:
    made = make(kinds=("question",), languages=("it",))
    assert any(turns(row)[0].startswith("In quale file è definita") for row in made.rows)
    assert all(is_one_of(turns(row)[1], tuple(row.conversation.reference["answers"])) for row in made.rows)
    assert Attempt(made.rows[0].conversation.prompt(), "").prompt.messages[-1].content


def twins(*names: str, body: str = "") -> tuple[RememberedFile, ...]:
    """Files whose only function is the same, comments and blanks apart."""
    said = body or (
        'def search(self, query: str, {name}: int = 3) -> list[Hit]:\n'
        '    """Everything that is near to the query, the nearest first, and no more than asked for."""\n'
        '    found = self.index.lookup(self.embedder.embed(query))\n'
        '    return sorted(found, key=lambda hit: -hit.score)[:count]\n'
    )  # fmt: skip
    return tuple(
        remembered(f"{name}.py", f"class {name.title()}Store(Shelf):\n{indented(said, at)}")
        for at, name in enumerate(names)
    )


def indented(text: str, at: int) -> str:
    lines = text.replace("{name}", "count").splitlines()
    note = [f"    # the {at}th of them"] * (at > 0)
    return "\n".join(["    " + line for line in [*lines[:2], *note, *lines[2:]]]) + "\n"


def test_copies_of_a_function_are_on_one_side_of_a_split() -> None:
    others = tuple(
        remembered(f"o{at}.py", f"class Other{at}:\n    size: int = {at + 20}\n    kind: Kind{at}\n")
        for at in range(4)
    )
    for seed in range(12):
        made = make(*twins("apple", "pear"), *others, holdout=0.4, seed=seed)
        sides = [
            {row.origin["path"] for row in rows if row.origin["path"] in ("apple.py", "pear.py")}
            for rows in (made.rows, made.held)
        ]
        assert not all(sides), seed
        assert made.held
        assert made.rows


def test_a_held_out_row_that_a_trained_row_answers_is_left_out() -> None:
    line = "    total = weigh_everything_in(basket, with_care=True)\n"
    files = [
        remembered(
            f"f{at}.py",
            f"def {name}(basket):\n    {name} = open_{name}(basket)\n{line}    close_{name}(total, basket)\n"
            f"    return {name}.finish(total)\n",
        )
        for at, name in enumerate(("apple", "pear", "plum", "fig"))
    ]
    left = 0
    for seed in range(20):
        made = make(*files, kinds=("fill",), holdout=0.3, seed=seed)
        shown = "\n".join(row.words() for row in made.rows)
        assert not any(row.answer() == line.strip() and line.strip() in shown for row in made.held)
        left += made.left_out.get("fill", Counter())["a row trained on has its answer"]
    assert left


FIELDS = """\
from dataclasses import dataclass, field

LIMIT_OF_CAKES = 40
LIMITS_OF_CAKES = make_limits(40)


@dataclass
class Oven:
    depth: int = field(default=4)
    shelves: list[int] = field(default_factory=list)
    door: Door = field(repr=False)
    width: int = field(repr=False, default=LIMIT_OF_CAKES)
    heat: float = measured_heat()
    next: "Oven" = None


def bake_cakes(count=LIMIT_OF_CAKES, sizes=LIMITS_OF_CAKES, near: list["Oven"] = (1, 2)) -> "Oven":
    return oven


async def bake_later(count: int) -> bytes:
    return await oven(count)


async def bake_all(count: int) -> AsyncIterator[bytes]:
    yield await oven(count)
"""


def asked(made: RowsMade, sort: str) -> dict[str, tuple[str, ...]]:
    """The right answers, by what is asked."""
    return {
        turns(row)[0]: tuple(row.conversation.reference["answers"])
        for row in made.rows
        if row.extra.get("asks") == sort
    }


def test_a_default_is_a_value_that_can_be_read() -> None:
    made = make(remembered("oven.py", FIELDS), kinds=("question",), wordings=1)
    assert sorted(asked(made, "default").values()) == [
        ("(1, 2)",), ("4",), ("40", "LIMIT_OF_CAKES"), ("40", "LIMIT_OF_CAKES"),
    ]  # fmt: skip
    assert list(asked(made, "constant").values()) == [("40",)]
    assert made.left_out["question"]["the value is an expression"] == 3


def test_a_type_has_no_quotes_and_a_coroutine_is_awaited() -> None:
    made = make(remembered("oven.py", FIELDS), kinds=("question",), wordings=9)
    assert ("list[Oven]", "list['Oven']") in asked(made, "annotation").values()
    assert ("Oven", "'Oven'") in asked(made, "field").values()
    assert set(asked(made, "returns").values()) == {("Oven", "'Oven'"), ("AsyncIterator[bytes]",)}
    later = asked(made, "awaited")
    assert set(later.values()) == {("bytes",)}
    assert all(re.search("await|async|coroutine", words) for words in later)


def test_a_hole_can_be_answered() -> None:
    body = [
        "first_thing_of_all(basket)",
        "self.everything_found = []",
        "everything_there_is = set()",
        "put_everything_into([])",
        "said_by_everybody(basket)",
        "said_by_everybody(basket)",
        "return everything_there_is",
    ]
    text = "\n".join(["def work(self, basket):", *(f"    {line}" for line in body), ""])
    said = {
        turns(row)[1].split("\n")[1]
        for seed in range(30)
        for row in make(remembered("w.py", text), kinds=("fill",), seed=seed).rows
    }
    assert said == {"first_thing_of_all(basket)"}


@pytest.mark.parametrize(("path", "compared"), [("f.py", "python"), ("f.js", "lines")])
def test_a_hole_is_compared_as_code(path: str, compared: str) -> None:
    text = (
        "def f(a):\n    go_there_first(a)\n    go_there_then(a, Big)\n    go_home_at_last(a)\n    return a\n"
    )
    [row] = make(remembered(path, text), kinds=("fill",)).rows
    assert row.conversation.reference["compare"] == compared
    code = turns(row)[1]
    [right, wrong] = AnswerReward().score(
        [Attempt(row.conversation.prompt(), said) for said in (code, code.replace("go_", "Go_"))]
    )
    assert (right.score, wrong.score) == (1.0, 0.0)


def test_an_answer_that_many_have_is_not_all_there_is() -> None:
    text = "".join(
        f"def work_{at}(value_{at}: str, other_{at}: Kind{at}) -> Made{at}:\n    return {at}\n\n\n"
        for at in range(40)
    )
    made = make(remembered("w.py", text), kinds=("question",), wordings=1, holdout=0.2, by_question=True)
    found = Counter(turns(row)[1] for row in made.rows if row.extra["asks"] == "annotation")
    assert found["str"] == 10
    assert len(found) == 41
    assert made.left_out["question"]["many have the same answer"] == 30
    assert made.guessed.questions == len(made.held)
    assert 0 < made.guessed.right < len(made.held)


def test_where_nothing_is_held_out_a_question_is_guessed_from_the_others_of_its_sort() -> None:
    made = make(kinds=("question",))
    assert made.guessed.questions == len({row.fact for row in made.rows}) < len(made.rows)
    assert 0 < made.guessed.right < made.guessed.questions
    assert make(kinds=("question",), holdout=0.01, by_question=True).guessed.questions == 1


def test_a_path_out_of_the_project_is_no_answer() -> None:
    store = FakeChunkStore()
    with store.writer():
        store.put([remembered("../../elsewhere/lib/sweet/store.py", STORE)], {})
        store.set_roots(["../../elsewhere/lib/sweet"])
    use_case = MakeRowsFromMemory(store, FakeNearCopies(), FakeSandbox, RecordingObserver(), FakeStop())
    made = use_case(MakeRowsRequest(kinds=("question",)))
    assert set(asked(made, "file").values()) == {("sweet/store.py", "store.py", "sweet.store")}
