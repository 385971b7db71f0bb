"""The options of commands that put a procedure into a prompt, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from ...domain.errors import CeselloError
from ...domain.prompt_program import PromptProgram
from .output import printable

_Command = TypeVar("_Command", bound=Callable[..., Any])


def sop_options(command: _Command) -> _Command:
    """``--sop`` and ``--sop-mode``."""
    name = click.option(
        "--sop",
        default="off",
        show_default=True,
        metavar="auto|NAME|off",
        help="Put a procedure into the prompt: that of NAME, or with auto the one that matches, if any does.",
    )
    mode = click.option(
        "--sop-mode",
        default="full",
        show_default=True,
        type=click.Choice(["catalog", "full"]),
        help="All of the procedure, or its name and description.",
    )
    return name(mode(command))


@contextmanager
def instructed(
    container: Callable[[], Any], program: PromptProgram, sop: str, mode: str, request: str, origin: str
) -> Iterator[PromptProgram]:
    """The prompt with the procedure; what came of it is in the log when the block ends, or is left.

    A log that cannot be written is told, and keeps nobody from the answer.

    Args:
        container: gives the one that has the procedures; called where one is asked for.
    """
    from ...domain.procedure_prompt import Mode

    if sop == "off":
        yield program
        return
    put = container().prompt_with_procedure()
    made = put(program, sop, request, Mode(mode), origin)
    click.echo(f"procedure: {_said(made.choice)}", err=True)
    finished = False
    try:
        yield made.program
        finished = True
    finally:
        try:
            put.record(made, finished=finished)
        except CeselloError as problem:
            click.echo(printable(f"note: {problem}"), err=True)


def _said(choice: Any) -> str:
    if choice.version is None:
        return "nothing applies"
    what = f"{choice.version.name} {choice.version.sha[:8]} ({choice.why})"
    return f"{what}, held out to be compared with" if choice.held_out else what
