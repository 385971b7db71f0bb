"""A person's own function as a reward: what it is given, what it may give, and the ways in which it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.reward.function_reward import FunctionReward
from cesello.domain.conversation import Conversation, Message, Role, ToolCall, ToolSpec, user
from cesello.domain.errors import UsageError
from cesello.domain.reward import Attempt, RewardResult, Verdict, infra_error

Maker = Callable[..., FunctionReward]
ASKED = Conversation(
    (
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "one?"),
        Message(Role.ASSISTANT, "1"),
        Message(Role.USER, "two?"),
    ),
    (ToolSpec("add", "adds", {"type": "object"}),),
    {"answer": "2", "level": 3, "prompt": "hidden"},
)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    made: list[FunctionReward] = []

    def maker(code: str, name: str = "reward", **options: Any) -> FunctionReward:
        (tmp_path / f"mine{len(made)}.py").write_text(code)
        loading = {
            "name": f"mine{len(made)}:{name}",
            "root": str(tmp_path),
            "asked_by": 'reward "mine"',
            "group": "cesello.rewards",
        }
        made.append(FunctionReward("mine", "cesello.entrypoints.wiring:own_code", loading, **options))
        return made[-1]

    yield maker
    for reward in made:
        reward.close()


def one(reward: FunctionReward, completion: str = "x", prompt: Conversation = ASKED) -> RewardResult:
    [result] = reward.score([Attempt(prompt, completion)])
    return result


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("reward(prompt, completion): parts = [prompt, completion]", ["two?", "x"]),
        ("reward(p, c, answer): parts = [p, answer]", ["two?", "2"]),
        ("reward(p, c, *, level=0, other=7): parts = [level, other]", [3, 7]),
        ("reward(p, c, **row): parts = sorted(row)", ["answer", "level", "messages", "tools", "turns"]),
        (
            "reward(p, c, messages): parts = [messages[0]['role'], messages[-1]['content']]",
            ["system", "two?"],
        ),
        ("reward(p, c, turns): parts = [turns[0]['role'], turns[0]['content']]", ["assistant", "x"]),
        ("reward(p, c, tools): parts = [tools[0]['function']['name']]", ["add"]),
    ],
)
def test_it_is_given_what_its_signature_takes(make: Maker, body: str, parts: list[object]) -> None:
    head, _, rest = body.partition(": ")
    code = f"from cesello import RewardResult\ndef {head}:\n    {rest}\n"
    reward = make(code + "    return RewardResult(0.5, reasons=tuple(map(str, parts)))\n")
    assert one(reward) == RewardResult(0.5, reasons=tuple(map(str, parts)))


def test_it_is_given_all_turns_of_a_completion_with_tools(make: Maker) -> None:
    turns = (
        Message(Role.ASSISTANT, "", (ToolCall("add", '{"a": 1}'),)),
        Message(Role.TOOL, "2", name="add"),
        Message(Role.ASSISTANT, "It is 2."),
    )
    reward = make(
        "from cesello import RewardResult\n"
        "def reward(p, completion, turns):\n"
        "    said = [turn['content'] for turn in turns]\n"
        "    return RewardResult(1, reasons=(completion, *said, turns[0]['tool_calls'][0]['name']))\n"
    )
    [result] = reward.score([Attempt(ASKED, "It is 2.", turns)])
    assert result.reasons == ("It is 2.", "", "2", "It is 2.", "add")


def test_arguments_of_the_recipe_come_before_those_of_the_row(make: Maker) -> None:
    reward = make("def reward(p, c, level, top): return level / top", arguments={"level": 1, "top": 4})
    assert one(reward).score == 0.25


def test_a_row_without_what_it_needs_is_none_of_its_rows(make: Maker) -> None:
    reward = make("def reward(p, c, tests, answer): return 1.0")
    assert one(reward) == RewardResult(None, reasons=("missing:tests",))


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ("1", RewardResult(1.0)),
        ("True", RewardResult(1.0)),
        ("-0.5", RewardResult(-0.5)),
        ("None", RewardResult(None, reasons=("none",))),
        ("7.0", RewardResult(1.0, reasons=("clipped",))),
        ("-1e300", RewardResult(-1.0, reasons=("clipped",))),
        ("RewardResult(0.5, {'a': 3}, ('why',))", RewardResult(0.5, {"a": 1.0}, ("why", "clipped"))),
        ("RewardResult(1, verdict=Verdict.PASSED)", RewardResult(1.0, verdict=Verdict.PASSED)),
        ("infra_error('no_server')", infra_error("no_server")),
        ("float('nan')", infra_error("not_finite")),
        ("float('-inf')", infra_error("not_finite")),
        ("RewardResult(0.1, {'a': float('nan')})", infra_error("not_finite")),
        ("RewardResult(0.1, {'a': 'b'})", infra_error("wrong_type:parts")),
        ("'1.0'", infra_error("wrong_type:str")),
        ("[1.0]", infra_error("wrong_type:list")),
        ("1 / 0", infra_error("raised:ZeroDivisionError")),
        ("sys.exit(0)", infra_error("raised:SystemExit")),
        ("reward(p, c)", infra_error("raised:RecursionError")),
        ("os._exit(0)", infra_error("crashed:exit_0")),
        ("os._exit(7)", infra_error("crashed:exit_7")),
        ("ctypes.string_at(0)", infra_error("crashed:SIGSEGV")),
        ("os.kill(os.getpid(), 9)", infra_error("crashed:SIGKILL")),
    ],
)
def test_every_outcome_is_a_result(make: Maker, given: str, result: RewardResult) -> None:
    imports = "import ctypes, os, sys\nfrom cesello.domain.reward import RewardResult, Verdict, infra_error\n"
    reward = make(f"{imports}def reward(p, c): return {given} if c == 'x' else 0.5")
    assert one(reward) == result
    assert one(reward, "good") == RewardResult(0.5), "it goes on after that"


def test_what_hangs_is_stopped_with_all_it_started(make: Maker, tmp_path: Path) -> None:
    code = f"""
import subprocess, time
def reward(p, c):
    if c == "x":
        child = subprocess.Popen(["sleep", "60"])
        open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
        while True: pass
    return 0.5
"""
    reward = make(code, timeout_seconds=1.0)
    start = time.monotonic()
    results = reward.score([Attempt(ASKED, text) for text in ("a", "x", "b")])
    assert results == [RewardResult(0.5), infra_error("timeout"), RewardResult(0.5)]
    assert time.monotonic() - start < 20
    assert is_gone(int((tmp_path / "child").read_text()))


def is_gone(pid: int) -> bool:
    """Whether it ended; one that nobody has reaped yet has ended as well."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


ORPHANED = """
import os, signal, sys, threading
from cesello.adapters.reward.function_reward import FunctionReward
from cesello.domain.conversation import user
from cesello.domain.reward import Attempt

loading = {"name": "hanging:reward", "root": sys.argv[1], "asked_by": "a test", "group": "cesello.rewards"}
reward = FunctionReward("x", "cesello.entrypoints.wiring:own_code", loading, timeout_seconds=1.5)
reward.start()
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
reward.score([Attempt(user("x"), "y")])
"""


def test_what_hangs_ends_although_nobody_is_left_to_stop_it(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(
        f"import os\ndef reward(p, c):\n    open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "    while True: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", ORPHANED, str(tmp_path)], stderr=subprocess.DEVNULL)
    assert done.returncode == -signal.SIGKILL
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_what_it_prints_disturbs_nobody(make: Maker, capfd: pytest.CaptureFixture[str]) -> None:
    code = """
import os, sys
print('{"loaded": false}')
def reward(p, c):
    print('{"score": 1.0}')
    os.write(1, b'{"score": 1.0}\\n')
    sys.__stdout__.write("more"); sys.__stdout__.flush()
    assert sys.stdin.read() == "", "it found something to read"
    return 0.5
"""
    assert one(make(code)) == RewardResult(0.5)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count('{"score": 1.0}') == 2


def test_a_traceback_is_told_once(make: Maker, capfd: pytest.CaptureFixture[str]) -> None:
    reward = make("def reward(p, c): raise ValueError('no such thing')")
    assert reward.score([Attempt(ASKED, "x")] * 3) == [infra_error("raised:ValueError")] * 3
    assert capfd.readouterr().err.count("\nValueError: no such thing\n") == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("other = 1", 'has no function "reward"'),
        ("reward = 3", "it is int, not a function"),
        ("def reward(prompt): return 1.0", "it takes (prompt)"),
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        ("def reward(:", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import os; os._exit(3)", "crashed:exit_3"),
        ("import ctypes; ctypes.string_at(0)", "crashed:SIGSEGV"),
        ("from os.path import join as reward", 'only imports its "reward"'),
    ],
)
def test_one_that_cannot_be_loaded_is_said_at_once(make: Maker, code: str, said: str) -> None:
    reward = make(code)
    with pytest.raises(UsageError, match="own reward function") as caught:
        reward.start()
    assert caught.value.code == "C070"
    assert said in str(caught.value)
    assert 'reward "mine"' in str(caught.value)


def test_one_that_hangs_when_it_is_loaded_is_said_too(make: Maker) -> None:
    reward = make("import time; time.sleep(60)", start_seconds=1.0)
    with pytest.raises(UsageError, match="got timeout"):
        one(reward)


def test_one_that_does_not_come_up_again_fails_the_gradings(make: Maker, tmp_path: Path) -> None:
    reward = make("import os\ndef reward(p, c): os._exit(1)")
    assert one(reward) == infra_error("crashed:exit_1")
    (tmp_path / "mine0.py").write_text("raise RuntimeError('changed')")
    assert one(reward).is_infra_error


def test_unknown_arguments_are_refused(make: Maker) -> None:
    with pytest.raises(UsageError, match="it takes no argument top"):
        make("def reward(p, c): return 0.0", arguments={"top": 4}).start()


@pytest.mark.parametrize("text", ["\ud800", "\x00", "è\u2028\n", "a" * 1_000_000, "{" * 100_000])
def test_hostile_text_arrives_whole(make: Maker, text: str) -> None:
    code = "def reward(p, c, answer): return float(len(c) == answer)"
    prompt = Conversation((Message(Role.USER, text),), reference={"answer": len(text)})
    assert one(make(code), text, prompt) == RewardResult(1.0)


def test_a_row_that_is_no_json_fails_its_grading_alone(make: Maker) -> None:
    nested: list[Any] = []
    for _ in range(200_000):
        nested = [nested]
    reward = make("def reward(p, c): return 0.5")
    results = reward.score(
        [Attempt(Conversation((Message(Role.USER, "x"),), reference={"a": nested}), "x"), Attempt(ASKED, "x")]
    )
    assert results == [infra_error("row_is_no_json"), RewardResult(0.5)]


def test_a_conversation_without_a_user_asks_nothing(make: Maker) -> None:
    reward = make("def reward(p, c): return float(p == '')")
    assert one(reward, "x", Conversation((Message(Role.SYSTEM, "Be brief."),))) == RewardResult(1.0)


def test_the_same_completion_gets_the_same_score_in_every_process(make: Maker) -> None:
    code = "def reward(p, c): return list({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}).index('a') / 10"
    first, second = make(code), make(code)
    assert one(first) == one(second)


def test_it_knows_the_environment_and_keeps_its_state(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SETTING", "0.25")
    code = """
import os
calls = []
def reward(p, c):
    calls.append(c)
    return float(os.environ["MY_SETTING"]) * len(calls)
"""
    reward = make(code)
    assert [result.score for result in reward.score([Attempt(user("x"), "y")] * 2)] == [0.25, 0.5]


def test_a_closed_one_leaves_no_process_and_can_be_used_again(make: Maker) -> None:
    reward = make("import os\ndef reward(p, c): return RewardResult(0.5, reasons=(str(os.getpid()),))\n"
                  "from cesello import RewardResult")  # fmt: skip
    pid = int(one(reward).reasons[0])
    reward.close()
    assert is_gone(pid)
    assert one(reward).score == 0.5


def test_descriptors_stay_flat(make: Maker) -> None:
    reward = make("import os\ndef reward(p, c): os._exit(1)", timeout_seconds=5)
    one(reward)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        one(reward)
    assert len(os.listdir("/proc/self/fd")) <= before
