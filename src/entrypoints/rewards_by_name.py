"""The rewards of a recipe, and those built in, by name; each is made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..domain.errors import UsageError
from ..domain.ports.reward import RewardModel

Steps = tuple[Callable[[], object], ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A reward and what it stands on.

    Attributes:
        check: makes sure that it can judge here, or raises what is in the way.
        close: ends its processes.
    """

    reward: RewardModel
    check: Steps = ()
    close: Steps = ()


class RewardsByName(Mapping[str, RewardModel]):
    """See the port ``Rewards``.

    Args:
        builders: by name, in the order a person reads them.
    """

    def __init__(self, builders: Mapping[str, Callable[[], Made]]) -> None:
        self._builders = dict(builders)
        self._made: dict[str, Made] = {}

    def __getitem__(self, name: str) -> RewardModel:
        return self.made(name).reward

    def __contains__(self, name: object) -> bool:
        return name in self._builders

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def __len__(self) -> int:
        return len(self._builders)

    def made(self, name: str) -> Made:
        """The reward of that name with what it stands on.

        Raises:
            UsageError: C009 when there is none.
        """
        if name not in self._builders:
            known = ", ".join(self._builders)
            what = f'no reward is called "{name}"'
            raise UsageError("C009", what, fix=f"choose one of: {known}")
        if name not in self._made:
            self._made[name] = self._builders[name]()
        return self._made[name]

    def check(self, names: Iterable[str]) -> None:
        """See the port."""
        for name in names:
            for step in self.made(name).check:
                step()

    def close(self) -> None:
        """See the port."""
        for made in self._made.values():
            for step in made.close:
                step()
