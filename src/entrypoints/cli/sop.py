"""``cesello sop``: standard operating procedures. Its commands are in files beside, imported when used."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "new": ("sop_files", "Write a procedure to start from."),
    "lint": ("sop_files", "Check procedures, with every mistake at its place."),
    "list": ("sop_files", "List the procedures."),
    "search": ("sop_use", "Find the procedure that a request is for."),
    "show": ("sop_files", "Show a procedure and its versions."),
    "run": ("sop_use", "Follow a procedure step by step."),
    "log": ("sop_use", "List what came of procedures."),
    "stats": ("sop_use", "Say how often procedures help."),
    "calibrate": ("sop_use", "Find the score from which procedures apply."),
    "diff": ("sop_versions", "Say what differs between two versions."),
    "promote": ("sop_versions", "Put a version into use."),
    "draft": ("sop_versions", "Take the better text that a prompt search has found."),
    "rollback": ("sop_versions", "Go back to the version before."),
    "import": ("sop_files", "Take a folder with a SKILL.md."),
    "export": ("sop_files", "Give a procedure to other programs."),
}
"""By name: the file, and what it does. A command of that file has the name in front of ``_command``."""


class SopGroup(click.Group):
    """Knows its commands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f".{COMMANDS[cmd_name][0]}", __package__)
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in COMMANDS.items()])


@click.group(cls=SopGroup)
def sop() -> None:
    """Write procedures, follow them and learn which of them help.

    A procedure is a folder in .cesello/procedures, with a SKILL.md that other agents read too. Start with
    `cesello sop new --all`, which writes eight for work on code.
    """
