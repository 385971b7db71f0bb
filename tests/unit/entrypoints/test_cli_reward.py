"""``cesello reward test``: which reward is meant, what is printed, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers

from cesello.domain.code_tests import Grade, Grading, SandboxTier
from cesello.domain.errors import SandboxError
from cesello.entrypoints.cli.main import run
from cesello.entrypoints.container import Container, make_container

RECIPE = """\
model: {name: ./model}
rewards:
  - {kind: length, name: short, shortest: 1, longest: 2}
  - {kind: format, pattern: "[0-9]+"}
data: {sources: [{name: rows, kind: file, path: rows.jsonl}]}
training: {max_steps: 2}
"""
CASES = "- {prompt: 'Twice two?', passes: ['4'], fails: ['four or so, as far as I know']}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    Path("recipe.yaml").write_text(RECIPE)
    Path("cases.yaml").write_text(CASES)
    Path("mine.cases.yaml").write_text(CASES)
    Path("mine.py").write_text(
        "def good(prompt, completion): return float(completion == '4')\n"
        "def bad(prompt, completion): return float('4' in completion or not completion)\n"
        "def broken(prompt, completion): return 1 / len(completion)\n"
    )
    return tmp_path


def reward_test(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = run(["reward", "test", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def as_json(*arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    _, out, _ = reward_test(*arguments, "--json", capsys=capsys)
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize("name", ["format", "length", "function_calling", "chat", "answer"])
def test_the_built_in_ones_are_not_cheated_by_their_own_cases(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = reward_test(name, capsys=capsys)
    assert status == 0, out
    assert out.startswith(f"{name}: ")
    assert "No hack got through." in out


def test_a_function_of_ones_own_that_is_good_passes(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = reward_test("mine:good", capsys=capsys)
    assert status == 0, out
    assert "latency" in out


def test_one_that_is_cheated_ends_with_1_and_says_by_what(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = reward_test("mine:bad", capsys=capsys)
    assert status == 1
    assert "empty · case 1: 1, expected at most 0, as an honest wrong answer\n    ''" in out
    assert out.endswith("Do not train on it: empty, many.\n")


def test_a_grader_that_fails_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json("mine:broken", capsys=capsys)
    assert found["infra_errors"] == 1
    assert found["good"] is False
    [grader] = [one for one in found["findings"] if one["check"] == "grader"]
    assert (grader["completion"], grader["got"]) == ("", "no score (raised:ZeroDivisionError)")


def test_json_says_everything(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json("mine:bad", capsys=capsys)
    assert found["reward"] == "mine:bad"
    assert found["good"] is False
    assert found["cases"] == 1
    assert {"check": "empty", "made": 1, "failed": 1} in found["tallies"]
    assert found["findings"][0]["completion"] == ""


def test_a_reward_of_a_recipe_has_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    Path("words.yaml").write_text(
        "- {prompt: 'Say hello.', passes: ['Hello you.'], fails: ['Hello to all of you who are here.'],"
        " without: [echo, prefix, flattery]}\n"
    )
    options = ("--recipe", "recipe.yaml", "--cases", "words.yaml")
    assert reward_test("short", *options, capsys=capsys)[0] == 0
    other = ("--set", "rewards.short.longest=9")
    assert reward_test("short", *options, *other, capsys=capsys)[0] == 1


def test_the_blend_of_a_recipe_can_be_tried(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = reward_test("blend", "--recipe", "recipe.yaml", "--cases", "cases.yaml", capsys=capsys)
    assert status in (0, 1)
    assert out.startswith("blend: 1 cases")


class NoSandbox:
    """A machine on which nothing can hold a program."""

    @property
    def tier(self) -> SandboxTier:
        raise SandboxError("X001", "nothing can hold programs here", fix="see cesello doctor")

    def grade(self, gradings: Sequence[Grading]) -> list[Grade]:
        raise AssertionError("it was asked before its tier was")

    def close(self) -> None:
        """There is nothing to end."""


def test_without_a_sandbox_it_ends_with_6(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without(config: Mapping[str, Any] | None = None) -> Container:
        container = make_container(config)
        container.sandbox.override(providers.Object(NoSandbox()))
        return container

    monkeypatch.setattr("cesello.entrypoints.container.make_container", without)
    status, out, err = reward_test("coding", capsys=capsys)
    assert (status, out) == (6, "")
    assert err.startswith("error[X001]")


def test_running_without_a_sandbox_is_asked_for_by_hand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiers: list[str] = []

    def recording(config: Mapping[str, Any] | None = None) -> Container:
        container = make_container(config)
        tiers.append(container.config.sandbox.tier())
        return container

    monkeypatch.setattr("cesello.entrypoints.container.make_container", recording)
    for more in ([], ["--unsafe-code-execution"]):
        assert reward_test("length", *more, capsys=capsys)[0] == 0
    assert tiers == ["auto", "unsafe"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["codign"], "C072", 'did you mean "coding"?'),
        (["blend"], "C072", "choose one of"),
        (["function"], "C072", "my_file:my_function"),
        (["judge"], "C073", "--cases"),
        (["short", "--recipe", "recipe.yaml"], "C073", "no golden cases of its own"),
        (["nowhere:good"], "C073", "nowhere.cases.yaml"),
        (["mine:nothing"], "C070", 'no function "nothing"'),
        (["mine:good", "--cases", "none.yaml"], "C073", "none.yaml"),
        (["judge", "--cases", "cases.yaml"], "C074", "url"),
        (["mine:good", "--recipe", "none.yaml"], "C020", "none.yaml"),
        (["mine:good", "--set", "seed=1"], "C000", "--set"),
        ([], "C000", "REWARD"),
    ],
)
def test_a_command_that_is_wrong_ends_with_2(
    arguments: list[str], code: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = reward_test(*arguments, capsys=capsys)
    assert (status, out) == (2, "")
    assert f"error[{code}]" in err
    assert said in err
