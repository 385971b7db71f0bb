"""A picture on a terminal that is drawn again in its own place."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import click

from .runs_text import is_coloured


class Screen:
    """Draws over what it drew last.

    Each line is ended by clearing the rest of it, so that nothing flickers. A picture that another follows is
    never higher than the terminal: what had scrolled away could not be drawn over.
    """

    def __init__(self) -> None:
        self._drawn = 0
        self._size = shutil.get_terminal_size()

    def draw(self, lines: Sequence[str], *, last: bool = False) -> None:
        """These lines in the place of the last ones; each must fit the terminal's width.

        Args:
            last: no picture follows, so that this one is shown whole, however high it is.
        """
        size = shutil.get_terminal_size()
        if size != self._size:  # lines may have been broken anew: where the picture began is not known
            self._size, self._drawn = size, 0
            click.echo("\x1b[2J\x1b[H", nl=False, color=True)
        shown = lines if last else lines[: max(size.lines - 1, 1)]
        back = f"\x1b[{self._drawn}F" if self._drawn else ""
        text = "".join(f"{line if is_coloured() else click.unstyle(line)}\x1b[K\n" for line in shown)
        click.echo(f"{back}{text}\x1b[J", nl=False, color=True)
        self._drawn = len(shown)
