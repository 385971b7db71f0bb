"""What ``cesello doctor`` says of the sandbox."""

from __future__ import annotations

from cesello.domain.code_tests import SandboxTier
from cesello.domain.errors import SandboxError
from cesello.entrypoints.cli.doctor import Finding, sandbox_finding
from tests.fakes.sandbox import FakeSandbox


class OfTier(FakeSandbox):
    """One that holds programs in a certain way, or says why it cannot."""

    def __init__(self, tier: SandboxTier | SandboxError) -> None:
        super().__init__()
        self._tier = tier

    @property
    def tier(self) -> SandboxTier:
        if isinstance(self._tier, SandboxError):
            raise self._tier
        return self._tier


def test_the_tier_is_named_with_what_it_stops_and_what_else_there_could_be() -> None:
    tier = SandboxTier("landlock", ("the network", "writing"), ("bubblewrap: bwrap is not installed",))
    assert sandbox_finding(OfTier(tier)) == Finding(
        "sandbox",
        True,
        "landlock, which stops the network, writing; not here: bubblewrap: bwrap is not installed",
    )
    assert sandbox_finding(OfTier(SandboxTier("unsafe"))).value == "unsafe, which stops nothing"


def test_without_a_tier_something_is_missing_and_there_is_a_way() -> None:
    problem = SandboxError("X001", "nothing holds them", got="landlock: an old kernel", fix="install it")
    assert sandbox_finding(OfTier(problem)) == Finding(
        "sandbox", True, "none: landlock: an old kernel", "install it"
    )
