"""Every way a command can end is a sentence and an exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from cesello.domain.errors import DataError, Interrupted, RetryableError, UsageError
from cesello.entrypoints.cli import main as module
from cesello.entrypoints.cli.main import COMMANDS, cli, main, run


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes ``cesello schema`` end so."""

    def arrange(failure: BaseException) -> None:
        @click.command()
        def command() -> None:
            raise failure

        monkeypatch.setattr(cli, "get_command", lambda context, name: command)

    return arrange


ENDS: list[tuple[BaseException, int, str]] = [
    (UsageError("C001", "no such key", fix="remove it"), 2, "error[C001] no such key · remove it"),
    (DataError("D002", "a source is empty"), 3, "error[D002] a source is empty"),
    (RetryableError("T075", "the disk is full"), 75, "error[T075] the disk is full"),
    (Interrupted(2, "stopped"), 130, "error[T130] stopped"),
    (Interrupted(15, "stopped"), 143, "error[T143] stopped"),
    (KeyboardInterrupt(), 130, "\nstopped"),
    (click.FileError("x.yaml", "gone"), 1, "error[C000] Could not open file 'x.yaml': gone"),
    (DataError("D012", 'unknown role "\x1b[31mred"'), 3, 'error[D012] unknown role "red"'),
    (
        ZeroDivisionError("a bug"),
        70,
        "error[B001] a fault in cesello: ZeroDivisionError: a bug · see the traceback with --debug",
    ),
]


@pytest.mark.parametrize(("failure", "status", "sentence"), ENDS, ids=str)
def test_a_failure_is_a_sentence_and_a_status(
    failure: BaseException,
    status: int,
    sentence: str,
    ends_with: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ends_with(failure)
    assert run(["schema"]) == status
    assert capsys.readouterr() == ("", f"{sentence}\n")


def test_debug_shows_where_it_happened(
    ends_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(ZeroDivisionError("a bug"))
    assert run(["--debug", "schema"]) == 70
    error = capsys.readouterr().err
    assert error.startswith("Traceback (most recent call last)")
    assert "error[B001]" in error.splitlines()[-1]


def test_a_traceback_tells_no_secret_and_acts_on_no_terminal(
    ends_with: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_variable, by_form = "correct horse battery", "hf_" + "Zq7Xw9Kp2Lm4Nv6Bt8Rj3Hd5Fg1S"
    monkeypatch.setenv("DATABASE_PASSWORD", of_variable)
    caused = RuntimeError(f"no login with {of_variable}")
    caused.__cause__ = ConnectionError(f"401 for {by_form}\x1b[31m")
    ends_with(caused)
    assert run(["--debug", "schema"]) == 70
    error = capsys.readouterr().err
    assert error.count("[secret]") == 3  # the cause, what it led to, and the sentence
    assert of_variable not in error
    assert by_form not in error
    assert "\x1b" not in error


def test_main_ends_the_process_with_the_status(ends_with: Callable[[BaseException], None]) -> None:
    ends_with(DataError("D002", "a source is empty"))
    with pytest.raises(SystemExit) as caught:
        main(["schema"])
    assert caught.value.code == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["trian"], 'error[C000] unknown command "trian" · did you mean "train"? · see `cesello --help`'),
        (["--nope"], "error[C000] No such option '--nope' · see `cesello --help`"),
        (["train"], "error[C000] Missing argument 'RECIPE' · see `cesello train --help`"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr() == ("", f"{sentence}\n")


def test_a_command_like_no_other_is_told_with_all_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["xyzzy"]) == 2
    error = capsys.readouterr().err
    assert 'unknown command "xyzzy"' in error
    assert all(name in error for name in COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["runs"]])
def test_no_command_is_answered_with_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err.startswith(f"Usage: {' '.join(['cesello', *arguments])} ")


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {' '.join(['cesello', *command])} ")


def test_help_names_every_command_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    run(["-h"])
    words = " ".join(capsys.readouterr().out.split())
    assert all(f"{name} {what}" in words for name, what in COMMANDS.items())


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from cesello.entrypoints.cli.main import main; main()", "schema"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_libraries_are_told_to_be_quiet_and_a_person_can_say_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {"OMP_WAIT_POLICY": "ACTIVE"})
    module._set_environment(debug=False)
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert os.environ["TRANSFORMERS_VERBOSITY"] == "error"
    monkeypatch.setattr(os, "environ", {})
    module._set_environment(debug=True)
    assert "TRANSFORMERS_VERBOSITY" not in os.environ
