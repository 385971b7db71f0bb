"""Which text of a completion is the program, and what it is by the look of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.code_answer import LONGEST, defined_in, is_copied, parsed, program_of, unfinished

F = "def f(x):\n    return x\n"
PREFIX = "import math\n\ndef helper(x):\n    return x\n\n\ndef f(x):\n    '''Doc.'''\n"


def fenced(code: str, label: str = "python") -> str:
    return f"```{label}\n{code.rstrip()}\n```"


PROGRAMS = {
    "a labelled block": (f"Here:\n{fenced(F)}\nDone.", F),
    "another label of Python": (fenced(F, "py"), F),
    "a label in capitals": (fenced(F, "Python"), F),
    "a block without a label": (fenced(F, ""), F),
    "an open block": (f"```python\n{F}", F),
    "a labelled block before one without": (f"{fenced(F)}\n{fenced('f(1)', '')}", F),
    "the block that defines what was asked": (f"{fenced(F)}\n{fenced('print(f(1))')}", F),
    "the last of two that define it": (f"{fenced('def f(x): return 0')}\n{fenced(F)}", F),
    "bare code": (F, F),
    "a bare script": ("print(input())", "print(input())"),
    "broken bare code": ("def f(x:\n  return", "def f(x:\n  return"),
}
NONE = {
    "words": "I cannot do that.",
    "one word": "factorial",
    "a number": "42",
    "nothing": "  \n",
    "an empty block": "```python\n```",
    "a block of white space": "```python\n\n  \n```",
    "another language": fenced("{}", "json"),
    "too much": "x = 1\n" * LONGEST,
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_program_is_found(case: str) -> None:
    completion, program = PROGRAMS[case]
    assert program_of(completion, "f") == program


@pytest.mark.parametrize("case", NONE)
def test_what_is_no_program(case: str) -> None:
    assert program_of(NONE[case], "f") is None


def test_of_several_blocks_that_define_nothing_asked_the_last_is_the_program() -> None:
    assert program_of(f"{fenced('a = 1')}\n{fenced('b = 2')}") == "b = 2\n"


def test_the_rest_of_a_function_follows_its_head() -> None:
    assert program_of("    return x\n", "f", PREFIX) == PREFIX + "    return x\n"
    assert program_of("    return x\n\nThat's it.", "f", PREFIX) == PREFIX + "    return x\n\n"


@pytest.mark.parametrize("completion", [F, fenced(F), f"Sure.\n{fenced(F)}"])
def test_a_whole_function_gets_what_stands_before_the_head(completion: str) -> None:
    program = program_of(completion, "f", PREFIX)
    assert program is not None
    assert program.count("def f(") == 1
    assert defined_in(program) == {"math", "helper", "f"}


def test_a_fenced_body_follows_the_head_as_well() -> None:
    program = program_of(fenced("    return x\n"), "f", PREFIX)
    assert program == PREFIX + "    return x\n"


def test_names_a_program_defines() -> None:
    program = "import a.b\nfrom c import d as e\ntry:\n  f = 1\nexcept E:\n  g: int = 2\nclass H:\n  i = 3"
    assert defined_in(program) == {"a", "e", "f", "g", "H"}
    assert defined_in("f, (g, *h) = x\ni[j].k = 1") == {"f", "g", "h"}
    assert defined_in("globals()['f'] = 1\nx.f = 2\nf: int") == frozenset()
    assert defined_in("def (") == frozenset()


FLAWS = {
    "def f(x): pass": "placeholder",
    "def f(x): ...": "placeholder",
    "def f(x):\n    'Doc.'": "placeholder",
    "def f(x):\n    'Doc.'\n    return": "placeholder",
    "def f(x): return None": "placeholder",
    "def f(x): return ...": "placeholder",
    "def f(x): raise NotImplementedError": "placeholder",
    "def f(x): raise NotImplementedError('later')": "placeholder",
    "def f(x):\n    # TODO: write\n    return x": "placeholder",
    "class f: pass": "placeholder",
    "class f:\n    def g(self, x): pass": "placeholder",
    "class f:\n    def g(self, x): pass\n    def h(self): ...\n    def i(self): return 1": "placeholder",
    "class f:\n    def g(self, x): pass\n    def h(self): return 1": None,
    "class f:\n    x: int = 1": None,
    "def f(x):\n    s = 'TODO'\n    return x": None,
    "def f(x):\n    return 42": "ignores_arguments",
    "def f(*x): return True": "ignores_arguments",
    "def f(): return 42": None,
    "def f(x): return x": None,
    "def f(x):\n    if x: raise NotImplementedError\n    return 1": None,
    "class f:\n    def g(self): return 1": None,
    "def g(): pass\ndef f(x): return x": None,
    "f = lambda x: 42": None,
    "def f(": None,
}


@pytest.mark.parametrize("program", FLAWS)
def test_what_is_not_finished(program: str) -> None:
    assert unfinished(program, "f") == FLAWS[program]


def test_without_a_name_every_function_is_looked_at() -> None:
    assert unfinished("def g(): pass\ndef f(x): pass\ndef h(x): return x") == "placeholder"
    assert unfinished("def g(): pass\ndef f(x): return x") is None


@given(
    st.text()
    | st.lists(st.sampled_from(["```", "python", "\n", "def f(x):", " ", "return x", "(", "\x00"])).map(
        "".join
    )
)
def test_a_program_is_a_piece_of_the_completion(text: str) -> None:
    program = program_of(text, "f")
    assert program is None or program in text


def test_what_no_parser_can_hold_is_not_python() -> None:
    assert parsed("(" * 10_000) is None
    assert parsed("x = " + "-" * 100_000 + "1") is None
    assert parsed("\x00") is None
    assert parsed("'\\d'") is not None


@pytest.mark.parametrize(
    "piece", ["#", " ", "\t", "`", "# ", "-", "\n", "a", "```", "``` ", "TODO", "#\n", "\f"]
)
def test_long_lines_are_read_soon(piece: str) -> None:
    many = piece * (100_000 // len(piece))
    begun = time.monotonic()
    program_of(many, "f")
    program_of(f"```{many}`", "f")
    program_of(f"```python\n{F}{many}", "f")
    is_copied(F, many)
    is_copied(F + many, F)
    unfinished(f"def f(x):\n    #{many}\n    return x", "f")
    assert time.monotonic() - begun < 1


ASKED = "Fix this function:\n\ndef f(x):\n    return  x  # wrong\n"


@pytest.mark.parametrize("question", [ASKED, f"Fix it:\n{fenced(F)}\nThanks.", f"{ASKED}\nIt must square."])
def test_code_of_the_question_is_a_copy(question: str) -> None:
    assert is_copied(F, question)
    assert is_copied("def f(x): return x", question)
    assert is_copied("# mine\ndef f(x):\n\n    return x\n", question)
    assert not is_copied("def f(x): return x * x", question)
    assert not is_copied("def f(", "Write f.")
