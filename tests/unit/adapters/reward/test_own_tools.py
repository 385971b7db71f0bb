"""A person's own functions as tools: what a model is told of them, and what they answer, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.reward.own_tools import OwnTools
from cesello.domain.conversation import ToolCall, ToolSpec
from cesello.domain.errors import UsageError
from cesello.domain.tool_use import ToolAnswer

Maker = Callable[..., OwnTools]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    made: list[OwnTools] = []

    def maker(code: str, *names: str, timeout: float = 10.0) -> OwnTools:
        (tmp_path / "mine.py").write_text(code)
        loadings = {
            name: {"name": f"mine:{name}", "root": str(tmp_path), "asked_by": f'tool "{name}"', "group": "x"}
            for name in names
        }
        made.append(OwnTools("cesello.entrypoints.wiring:own_code", loadings, timeout))
        return made[-1]

    yield maker
    for one in made:
        one.close()


def test_a_model_is_told_what_signature_and_docstring_say(make: Maker) -> None:
    tools = make(
        '''
from typing import Literal

def search(query: str, most: int = 5, *, order: Literal["new", "old"] = "new", tags: list[str] = (), x=0):
    """Looks texts up.

    All of them.

    Args:
        query: what is sought,
            word by word.
        most (int): how many: at most.

    Returns:
        The texts.
    """

def now():
    pass
''',
        "search",
        "now",
    )
    properties = {
        "query": {"type": "string", "description": "what is sought, word by word."},
        "most": {"type": "integer", "description": "how many: at most."},
        "order": {"type": "string", "enum": ["new", "old"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "x": {},
    }
    schema = {"type": "object", "properties": properties, "required": ["query"]}
    nothing: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    assert tools.specs == (
        ToolSpec("search", "Looks texts up.\n\nAll of them.", schema),
        ToolSpec("now", "", nothing),
    )


@pytest.mark.parametrize(
    ("body", "arguments", "answer"),
    [
        ("return str(a + b)", '{"a": 1, "b": 2}', ToolAnswer("3")),
        ("return {'sum': [a, None, 'è']}", '{"a": 1}', ToolAnswer('{"sum": [1, null, "è"]}')),
        ("return None", "{}", ToolAnswer("null")),
        ("return 'half \\ud800'", "{}", ToolAnswer("half ?")),
        (
            "print('to nobody'); return input()",
            "{}",
            ToolAnswer("error: EOFError: EOF when reading a line", True),
        ),
        ("return 1 / 0", "{}", ToolAnswer("error: ZeroDivisionError: division by zero", True)),
        ("raise SystemExit(3)", "{}", ToolAnswer("error: SystemExit: 3", True)),
        (
            "return {1, 2}",
            "{}",
            ToolAnswer("error: TypeError: Object of type set is not JSON serializable", True),
        ),
        (
            "return ''",
            '{"c": 1}',
            ToolAnswer("error: TypeError: add() got an unexpected keyword argument 'c'", True),
        ),
        ("import os; os._exit(7)", "{}", ToolAnswer("error: the tool has crashed", True)),
        ("while True: pass", "{}", ToolAnswer("error: no answer after 0.7 seconds", True)),
    ],
)  # fmt: skip
def test_whatever_happens_is_an_answer(make: Maker, body: str, arguments: str, answer: ToolAnswer) -> None:
    tools = make(f"def add(a=0, b=0):\n    {body}", "add", timeout=0.7)
    tools.start()
    assert tools.run(ToolCall("add", arguments)) == answer


def test_arguments_that_are_nested_too_deep_are_an_error_of_the_call(make: Maker) -> None:
    tools = make("def add(a): return 'yes'", "add")
    deep = "[" * 100_000 + "]" * 100_000
    assert tools.run(ToolCall("add", f'{{"a": {deep}}}')).text.startswith("error: RecursionError")


def test_a_tool_that_was_killed_is_loaded_anew(make: Maker) -> None:
    tools = make(
        "import time\ndef wait(seconds: float): time.sleep(seconds); return 'well'", "wait", timeout=0.7
    )
    assert tools.run(ToolCall("wait", '{"seconds": 60}')).failed
    assert tools.run(ToolCall("wait", '{"seconds": 0}')) == ToolAnswer("well")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("add = 3", "it is int, not a function"),
        ("async def add(): pass", "coroutine"),
        ("def add(a, /): pass", "arguments by their place"),
        ("def add(*a): pass", "arguments by their place"),
        ("def add(a: 'Nothing'): pass", "name 'Nothing' is not defined"),
        ("class Mine: pass\ndef add(a: Mine): pass", "cannot be told"),
        ("raise OSError('no disk')", "OSError: no disk"),
        ("", 'has no function "add"'),
    ],
)
def test_what_is_no_tool_is_refused_at_the_start(make: Maker, code: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(code, "add").start()
    assert caught.value.code == "C075"
    assert 'at tool "add"' in str(caught.value)
    assert told in str(caught.value)
