"""What a log that takes nothing back already holds of a run that is gone on with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class KnownSteps:
    """The last step of each name.

    A run that is gone on with repeats the steps after its checkpoint exactly, so that what was logged of them
    before is as good as what would be logged now.
    """

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def add(self, step: int, names: Iterable[str]) -> None:
        """Says that a step is logged under these names."""
        for name in names:
            self._last[name] = max(step, self._last.get(name, step))

    def fresh(self, step: int, figures: Mapping[str, float]) -> dict[str, float]:
        """The figures that are not there yet."""
        return {name: value for name, value in figures.items() if step > self._last.get(name, step - 1)}
