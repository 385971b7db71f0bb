"""A person who follows a procedure at the terminal."""

from __future__ import annotations

import os
import select
import subprocess
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator

import click

from ...domain.guided_run import Ask, Do, Gave, Reply, expectation, steps_of
from ...domain.procedure import Expect, Kind, Procedure
from .output import printable

_LONGEST = 1_000_000
"""Characters of a command's output that are kept; its end says how it went."""

_LONGEST_LINE = 10_000
_LOOK = 0.1
"""Seconds between two looks whether a command has ended."""


class TerminalFollower:
    """Shows a step and takes what it gave.

    Args:
        types_commands: what the person types is run.
        err: show steps on standard error, as standard output is for a program.
    """

    def __init__(self, procedure: Procedure, *, types_commands: bool, err: bool = False) -> None:
        self._steps = [step.id for step in steps_of(procedure)]
        self._types_commands = types_commands
        self._err = err

    def do(self, step: Do) -> Gave:
        """Does a step, and says what it gave."""
        number = self._steps.index(step.step.id) + 1
        again = f", try {step.attempt}" if step.attempt > 1 else ""
        self._say(f"\nstep {number} of {len(self._steps)}: {step.step.id}{again}")
        self._say(step.text)
        if step.step.tools:
            self._say(f"tools: {', '.join(step.step.tools)}")
        if step.step.expect:
            self._say(f"expected: {expectation(step.step.expect)}")
        began = time.perf_counter()
        gave = self._gave(step.step.expect)
        return Gave(gave.text, gave.exit_code, gave.reward, time.perf_counter() - began)

    def choose(self, step: Ask) -> Reply:
        """Says what comes after a step that has failed as often as it may."""
        self._say(f"\nstep {step.step.id} did not give what was expected")
        choices = click.Choice([str(reply) for reply in Reply])
        return Reply(click.prompt("what now?", type=choices, default="stop", err=self._err))

    def _gave(self, expect: Expect | None) -> Gave:
        if self._types_commands:
            command = self._ask("$")
            if command:
                return self._run(command)
        if expect is None:
            return Gave(self._ask("done? a note, or Enter"))
        if expect.kind is Kind.EXIT_CODE:
            return Gave(exit_code=click.prompt("exit code", type=int, err=self._err))
        if expect.kind is Kind.REWARD:
            return Gave(reward=click.prompt("reward, -1 to 1", type=click.FloatRange(-1, 1), err=self._err))
        return Gave(self._lines())

    def _ask(self, question: str) -> str:
        suffix = " " if question == "$" else ": "
        answer = click.prompt(question, default="", show_default=False, prompt_suffix=suffix, err=self._err)
        return str(answer).strip()

    def _lines(self) -> str:
        """What is pasted, up to a line with a dot alone."""
        self._say("what did it give? end with a line that is a dot")
        lines: list[str] = []
        while (line := click.prompt("", default="", show_default=False, prompt_suffix="", err=True)) != ".":
            lines.append(line)
        return "\n".join(lines)

    def _run(self, command: str) -> Gave:
        """A command of the person's own, in their shell, as if they had typed it there."""
        text = line = ""
        decoder = getincrementaldecoder("utf-8")("replace")
        with subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            for chunk in _output(process):
                some = decoder.decode(chunk)
                text = (text + some)[-_LONGEST:]
                *whole, line = (line + some).split("\n")
                for one in whole:
                    self._say(one)
                if len(line) > _LONGEST_LINE:  # what writes no line ends is shown in pieces
                    self._say(line)
                    line = ""
            code = process.wait()
        if line:
            self._say(line)
        self._say(f"exit code {code}")
        return Gave(text, code)

    def _say(self, text: str) -> None:
        click.echo(printable(text), err=self._err)


def _output(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What a command writes until it has ended; what it left in the background may hold the pipe for ever."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    left = _LONGEST
    while left > 0:
        ended = process.poll() is not None
        if not select.select([pipe], [], [], 0 if ended else _LOOK)[0]:
            if ended:
                return
            continue
        chunk = os.read(pipe, 1 << 16)
        if not chunk:
            return
        left -= len(chunk) if ended else 0  # what is in the background may write for ever too
        yield chunk
