"""The ``cesello`` command. Each subcommand is a file beside this one, imported only when it is used."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any

import click

from ...domain.errors import CeselloError, Interrupted, StorageError
from ..workers import is_follower
from .output import printable

COMMANDS = {
    "init": "Write a commented recipe to start from.",
    "data": "Look at the rows of a recipe before training on them.",
    "reward": "Find out whether a reward can be cheated.",
    "plan": "Say what a training takes before anything is loaded.",
    "explain": "Say exactly what a recipe's training minimises.",
    "train": "Train a model as a recipe says.",
    "compare": "Find out whether training is needed, or a prompt does it.",
    "ablate": "Find out what memory and procedures bring a run's model.",
    "generate": "Ask the model of a run.",
    "export": "Merge a run's LoRA weights into a model for other programs.",
    "verify": "Check that a run, or an exported model, is what it says.",
    "remember": "Read a project into its memory.",
    "ask": "Find the code that answers a question.",
    "forget": "Take files out of the memory.",
    "memory": "Look after what is remembered.",
    "sop": "Write procedures, follow them and learn which of them help.",
    "runs": "List the runs and look at one.",
    "report": "Say what a run brought and whether it went well, also as a page.",
    "kit": "Bring models and data for work without a model hub.",
    "sandbox": "Look at the sandbox for a model's programs, or serve it.",
    "doctor": "Say what this machine can do and what is missing.",
    "schema": "Print the JSON schema of recipes, for editors.",
}

BUG_STATUS = 70
"""EX_SOFTWARE of sysexits.h: the fault is in cesello."""


class LazyGroup(click.Group):
    """Knows its commands by name; a command's module is imported when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as problem:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f' · did you mean "{near[0]}"?' if near else f" · expected one of: {', '.join(COMMANDS)}"
            raise click.UsageError(f'unknown command "{args[0]}"{hint}', ctx) from problem

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader went away (`cesello runs list | head`); there is nobody left to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("cesello"), prog_name="cesello")
@click.option("--debug", is_flag=True, help="Show tracebacks and the libraries' own messages.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Adapt an open language model to your own code and agents.

    Start with `cesello kit install`, then `cesello train recipes/quickstart.yaml`.
    """
    context.obj = debug
    _set_environment(debug)


def _set_environment(debug: bool) -> None:
    """What libraries read when they are imported; a person's own settings win."""
    settings = {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ANONYMIZED_TELEMETRY": "False",
        "TOKENIZERS_PARALLELISM": "false",
        # Idle threads sleep instead of spinning: on a busy machine spinning takes the core from the worker.
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if not debug:
        settings |= {
            "TRANSFORMERS_VERBOSITY": "error",
            "DATASETS_VERBOSITY": "critical",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        }
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and ends the process with the exit status of ``domain.errors``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal need not know every sign of a row
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given))


def run(arguments: list[str]) -> int:
    """Runs a command; every failure becomes a sentence and an exit status."""
    debug = "--debug" in arguments
    try:
        result = cli.main(arguments, prog_name="cesello", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except Interrupted as end:
        return end.status if is_follower() else _failed(str(end), end.status, debug)
    except CeselloError as error:
        return _failed(str(error), error.exit_status, debug)
    except click.exceptions.NoArgsIsHelpError as help_text:
        return _failed(help_text.format_message(), 2, debug=False)
    except click.UsageError as problem:
        return _failed(_usage(problem), 2, debug=False)
    except click.ClickException as problem:
        return _failed(f"error[C000] {problem.format_message()}", problem.exit_code, debug)
    except (click.Abort, KeyboardInterrupt):
        return _failed("stopped", 130, debug)
    except OSError as failure:
        sentence = (
            f"error[I001] cannot read or write: {failure} · check the file, its permissions and the disk"
        )
        return _failed(sentence, StorageError.exit_status, debug)
    except Exception as bug:
        sentence = (
            f"error[B001] a fault in cesello: {type(bug).__name__}: {bug} · see the traceback with --debug"
        )
        return _failed(sentence, BUG_STATUS, debug)


def _failed(sentence: str, status: int, debug: bool) -> int:
    from ..redaction import redact

    # Both may quote a row, a file's name, or what a library or own code has to say of a key.
    whole = f"{traceback.format_exc()}{sentence}" if debug else sentence
    click.echo(printable(redact()(whole)), err=True)
    return status


def _usage(problem: click.UsageError) -> str:
    message = problem.format_message().rstrip(".")
    command = problem.ctx.command_path if problem.ctx else "cesello"
    return f"error[C000] {message} · see `{command} --help`"
