from __future__ import annotations

import subprocess
import sys

import pytest
from dependency_injector import providers

from cesello.domain.code_tests import Grade
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.errors import CeselloError, SandboxError, UsageError
from cesello.domain.reward import Attempt, Verdict
from cesello.entrypoints.container import DEFAULTS, Container, make_container
from cesello.entrypoints.wiring import NeverStop, SilentObserver
from tests.fakes.run import FakeRunStore
from tests.fakes.sandbox import FakeIsolatedFunctions, FakeSandbox


def test_without_a_configuration_the_defaults_hold() -> None:
    config = make_container().config()
    assert config == DEFAULTS
    assert config is not DEFAULTS


def test_a_configuration_changes_key_by_key() -> None:
    config = make_container({"quantizer": {"name": "nf4"}, "output": "elsewhere"}).config()
    assert config["quantizer"] == DEFAULTS["quantizer"] | {"name": "nf4"}
    assert (config["output"], config["algorithm"]) == ("elsewhere", "sft")
    assert DEFAULTS["quantizer"]["name"] == "none"


def test_sources_are_built_by_their_kind() -> None:
    stdlib = {"name": "code", "kind": "stdlib", "modules": ["json"]}
    chat = {"name": "chat", "kind": "file", "path": "chat.jsonl"}
    sources = make_container({"data": {"sources": [stdlib, chat]}}).sources()
    assert [(name, source.name) for name, source in sources.items()] == [("code", "code"), ("chat", "chat")]
    assert sources["chat"].origin == "file chat.jsonl"


def test_an_override_in_one_container_leaves_another_alone() -> None:
    one, other = make_container(), make_container()
    fake = FakeRunStore()
    one.run_store.override(providers.Object(fake))
    assert one.run_store() is fake
    assert other.run_store() is not fake
    assert other.run_store() is other.run_store()


def test_who_watches_nothing_and_never_stops() -> None:
    container = make_container()
    observer, stop = container.observer(), container.stop()
    assert isinstance(observer, SilentObserver)
    assert isinstance(stop, NeverStop)
    stop.check()
    assert stop.requested is None


# Rewards

ASKED = Conversation(
    (Message(Role.USER, "Write a function `one`."),),
    reference={"tests": "assert one() == 1", "entry_point": "one"},
)
RIGHT = Attempt(ASKED, "```python\ndef one():\n    return 1\n```")


def passing() -> FakeSandbox:
    return FakeSandbox({"return 1": Grade(Verdict.PASSED, 1, 1)})


def with_sandbox(config: dict[str, object], sandbox: FakeSandbox) -> Container:
    container = make_container(config)
    container.sandbox.override(providers.Object(sandbox))
    container.isolated_functions.override(providers.Object(FakeIsolatedFunctions(broken=sandbox.broken)))
    return container


def test_what_is_built_in_needs_no_recipe() -> None:
    rewards = make_container().rewards()
    assert " ".join(rewards) == "coding function_calling chat math answer reasoning_gym length combined blend"
    assert rewards["function_calling"].name == "function_calling"
    assert rewards["function_calling"] is rewards["function_calling"]
    assert make_container().rewards() is not rewards


def test_rewards_of_the_configuration_have_their_options() -> None:
    sandbox = passing()
    quick = {"kind": "coding", "name": "quick", "wall_seconds": 2.0, "cpu_seconds": 1, "memory_mb": 64}
    rewards = with_sandbox({"rewards": [quick, {"kind": "format", "pattern": "a+"}]}, sandbox).rewards()
    assert [result.score for result in rewards["quick"].score([RIGHT])] == [1.0]
    [[grading]] = sandbox.graded
    assert (grading.limits.wall, grading.limits.cpu, grading.limits.memory) == (2.0, 1, 64 << 20)
    scores = [one.score for one in rewards["format"].score([Attempt(ASKED, "aaa"), Attempt(ASKED, "b")])]
    assert scores == [1.0, -1.0]


def test_the_blend_asks_all_of_the_recipe_but_those_of_no_weight() -> None:
    given = [
        {"kind": "coding", "weight": 3.0},
        {"kind": "length", "name": "short", "longest": 1},
        {"kind": "chat", "weight": 0.0},
    ]
    rewards = with_sandbox({"rewards": given}, passing()).rewards()
    [short] = rewards["short"].score([RIGHT])
    [result] = rewards["blend"].score([RIGHT])
    assert short.score is not None
    assert result.parts == {"coding": 1.0, "short": short.score}
    assert result.score == pytest.approx((3 + short.score) / 4)
    summed = with_sandbox({"rewards": given, "blend": "sum"}, passing()).rewards()
    assert summed["blend"].score([RIGHT])[0].score == 1.0


def test_the_combined_reward_takes_those_of_the_recipe() -> None:
    sandbox, given = (
        passing(),
        [{"kind": "coding", "name": "quick", "wall_seconds": 2.0}, {"kind": "combined"}],
    )
    rewards = with_sandbox({"rewards": given}, sandbox).rewards()
    rewards["combined"].score([RIGHT])
    [[grading]] = sandbox.graded
    assert grading.limits.wall == 2.0


def test_a_name_that_is_none_is_told_with_those_there_are() -> None:
    rewards = make_container().rewards()
    assert "codng" not in rewards
    with pytest.raises(UsageError, match=r'C009.*"codng".*coding, function_calling'):
        rewards["codng"]


@pytest.mark.parametrize("name", ["coding", "math", "reasoning_gym", "combined", "blend"])
def test_a_reward_that_runs_programs_is_refused_where_nothing_holds_them(name: str) -> None:
    rewards = with_sandbox({"rewards": [{"kind": "coding"}]}, FakeSandbox(broken=True)).rewards()
    rewards.check(["function_calling", "chat", "length"])
    with pytest.raises(SandboxError, match="X001"):
        rewards.check(["function_calling", name])


def test_what_was_used_is_closed_and_nothing_else() -> None:
    sandbox, unused = FakeSandbox(), FakeSandbox()
    rewards = with_sandbox({}, sandbox).rewards()
    rewards.check(["coding"])
    rewards.close()
    assert sandbox.closed == 1
    with_sandbox({}, unused).rewards().close()
    assert unused.closed == 0


@pytest.mark.parametrize(
    ("reward", "code"),
    [
        ({"kind": "function", "function": "nowhere:judge"}, "C070"),
        ({"kind": "format", "json_schema": {"type": "nothing"}}, "C085"),
        ({"kind": "judge", "url": "https://a", "model": "m", "api_key_env": "CESELLO_NO_KEY"}, "C012"),
    ],
    ids=["function", "format", "judge"],
)
def test_what_a_reward_lacks_is_told_before_it_judges(reward: dict[str, object], code: str) -> None:
    rewards = make_container({"rewards": [reward]}).rewards()
    with pytest.raises(CeselloError, match=code):
        rewards.check([str(reward["kind"])])
    rewards.close()


def test_a_remote_sandboxs_token_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = {"tier": "remote", "url": "https://a", "token_env": "CESELLO_TOKEN"}
    with pytest.raises(UsageError, match=r"C012.*CESELLO_TOKEN.*sandbox.token_env"):
        make_container({"sandbox": remote}).sandbox()
    monkeypatch.setenv("CESELLO_TOKEN", "hidden-7")
    assert "hidden-7" not in repr(make_container({"sandbox": remote}).sandbox())


def test_rewards_are_listed_without_anything_heavy() -> None:
    program = (
        "import sys; from cesello.entrypoints.container import make_container; make_container().rewards();"
        "print(sorted({'torch', 'sympy', 'reasoning_gym', 'jsonschema'} & set(sys.modules)), "
        "[name for name in sys.modules if name.startswith('cesello.adapters')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"
