"""Which tiers hold here, found out by trying."""

from __future__ import annotations

import shutil
import sys

from ...domain.code_tests import SandboxTier
from ...domain.errors import SandboxError
from .held import BOTH, BUBBLEWRAP, LANDLOCK, UNSAFE, Held
from .self_test import REFUSED, probe
from .warden import Warden, WardenLost

_STRONGEST_FIRST = (BOTH, LANDLOCK, BUBBLEWRAP)
_ADVICE = (
    "use Linux 5.13 or newer, install bubblewrap, or name a remote sandbox (sandbox.url); on Linux "
    "--unsafe-code-execution, given by hand, runs the model's code with your own rights"
)


def choose(wanted: str) -> SandboxTier:
    """The wanted tier, or the strongest there is, whose self-test passes.

    Raises:
        SandboxError: X001 when none does.
    """
    if wanted == UNSAFE and sys.platform.startswith("linux"):
        return SandboxTier(UNSAFE, (), ("nothing is held back: the model's code runs with your own rights",))
    missing: list[str] = []
    for tier in _STRONGEST_FIRST if wanted == "auto" else (wanted,):
        why = _missing(tier) or _tried(tier)
        if why is None:
            return SandboxTier(tier, tuple(REFUSED.values()), tuple(missing))
        missing.append(f"{tier}: {why}")
    raise SandboxError(
        "X001",
        "nothing here can hold code that a model wrote",
        where="sandbox",
        got="; ".join(missing),
        fix=_ADVICE,
    )


def _missing(tier: str) -> str | None:
    if not sys.platform.startswith("linux"):
        return f"needs Linux, and this is {sys.platform}"
    if tier in (BUBBLEWRAP, BOTH) and not shutil.which("bwrap"):
        return "bwrap is not installed"
    return None


def _tried(tier: str) -> str | None:
    """Why a tier does not hold, or None where it does."""
    try:
        warden = Warden(Held(tier))
    except (WardenLost, OSError) as cause:
        return str(cause)
    try:
        return probe(warden)
    except TimeoutError:
        return "its self-test takes too long"
    except WardenLost as cause:
        return str(cause)
    finally:
        warden.close()
