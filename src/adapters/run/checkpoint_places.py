"""Where the checkpoints of a run are, under names that say what may be read.

step-00000120            a checkpoint
.step-00000120.partial   one that is being written; never read
.step-00000120.old       set aside for another of the same step; read where that one is not whole
.step-00000120.gone      one that is being removed; never read
"""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

from .checkpoint_form import Damaged, read
from .whole_files import discard, sync

_PLACE = re.compile(r"step-(\d{8,})|\.step-(\d{8,})\.old")


class CheckpointPlaces:
    """Those below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, step: int) -> Path:
        return self._folder / f"step-{step:08d}"

    def _hidden(self, step: int, why: str) -> Path:
        return self._folder / f".step-{step:08d}.{why}"

    def _partial(self, step: int) -> Path:
        return self._hidden(step, "partial")

    def readable(self) -> list[tuple[int, Path]]:
        """With their steps, the newest first; what was set aside is behind what took its place."""
        try:
            paths = list(self._folder.iterdir())
        except FileNotFoundError:
            return []
        found = [(match, path) for path in paths if (match := _PLACE.fullmatch(path.name))]
        places = [(int(match[1] or match[2]), match[1] is not None, path) for match, path in found]
        return [(step, path) for step, _, path in sorted(places, reverse=True)]

    def steps(self) -> set[int]:
        return {step for step, path in self.readable() if path == self.of(step)}

    def begin(self, step: int) -> Path:
        """An empty folder to write in; what is in the way of this step has to go, or it is told why not."""
        partial, aside = self._partial(step), self._hidden(step, "old")
        if aside.exists():
            self._settle(step, aside)
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(mode=0o700)
        return partial

    def fill(self, step: int) -> None:
        """Puts the partial one in its place; at every moment one of the two is under a name that is read."""
        place, aside = self.of(step), self._hidden(step, "old")
        if place.exists():
            place.rename(aside)
        self._partial(step).rename(place)
        sync(self._folder)
        discard(aside)

    def give_up(self, step: int) -> None:
        """Removes the partial one, and brings back what was set aside where nothing took its place."""
        discard(self._partial(step))
        with suppress(OSError):
            if not self.of(step).exists():
                self._hidden(step, "old").rename(self.of(step))

    def remove(self, step: int) -> None:
        """Under its name it is whole until it is gone."""
        gone = self._hidden(step, "gone")
        with suppress(OSError):
            self.of(step).rename(gone)
        discard(gone)

    def tidy(self) -> None:
        """Removes what it can of what processes that were killed left."""
        for path in list(self._folder.iterdir()) if self._folder.is_dir() else []:
            if path.name.startswith(".step-") and path.suffix in (".partial", ".gone"):
                discard(path)
        for step, path in self.readable():
            if path != self.of(step):
                with suppress(OSError):
                    self._settle(step, aside=path)

    def _settle(self, step: int, aside: Path) -> None:
        """Of a checkpoint and the one that was set aside for it, the whole one stays."""
        place = self.of(step)
        if _is_whole(aside, step) and not (place.exists() and _is_whole(place, step)):
            self.remove(step)
            aside.rename(place)
        else:
            discard(aside)


def _is_whole(folder: Path, step: int) -> bool:
    try:
        read(folder, step)
    except Damaged:
        return False
    return True
