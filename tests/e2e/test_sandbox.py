"""``cesello sandbox``: what holds programs here, and the service for machines where nothing does."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cesello.adapters.sandbox.remote_sandbox import RemoteSandbox
from cesello.domain.code_tests import CodeTests, Grading
from cesello.domain.reward import Verdict
from tests.e2e.command import COMMAND, cesello, environment

TESTS = CodeTests(code="assert add(1, 2) == 3")


def test_check_says_what_holds_and_what_it_stops(tmp_path: Path) -> None:
    found = json.loads(cesello("sandbox", "check", "--json", cwd=tmp_path).stdout)
    assert found["name"] == "landlock+bubblewrap"
    assert "the network" in found["stops"]
    shown = cesello("sandbox", "check", "--tier", "landlock", cwd=tmp_path).stdout
    assert shown.startswith("programs are held by landlock\nrefused when tried: ")


def test_without_a_tier_the_command_ends_with_6(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    ended = subprocess.run(
        [str(COMMAND), "sandbox", "check", "--tier", "bubblewrap"],
        env=environment() | {"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 6
    assert "error[X001] nothing here can hold code that a model wrote" in ended.stderr
    assert "bwrap is not installed" in ended.stderr
    assert "--unsafe-code-execution" in ended.stderr


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [str(COMMAND), "sandbox", "serve", "--port", "0", "--token-env", "THE_TOKEN", "--workers", "2"],
        cwd=tmp_path,
        env=environment() | {"THE_TOKEN": "open sesame"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        url = next(found[0] for line in lines if (found := re.search(r"http://[\d.:]+", line)))
        yield process, url
        process.kill()


def test_serve_grades_for_others_until_ctrl_c(served: tuple[subprocess.Popen[str], str]) -> None:
    process, url = served
    remote = RemoteSandbox(url, "open sesame")
    programs = ["def add(a, b):\n    return a + b", "def add(a, b):\n    return 0"]
    grades = remote.grade([Grading(program, TESTS) for program in programs])
    assert [grade.verdict for grade in grades] == [Verdict.PASSED, Verdict.WRONG]
    assert remote.tier.name == "remote landlock+bubblewrap"
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert out.endswith("stopped\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--token-env", "NOT_SET"], "error[C093] the token is not there"),
        (["serve", "--host", "0.0.0.0", "--port", "0"], "error[C092] everybody who reaches this machine"),
        (["serve", "--port", "99999"], "error[C000]"),
        (["check", "--tier", "unsafe"], "error[C000]"),
    ],
)
def test_serve_is_refused_where_it_would_be_open_to_all(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    ended = cesello("sandbox", *arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(said)
