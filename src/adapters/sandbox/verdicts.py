"""What is made of how a program ended."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from ...domain.code_tests import Grade, Limits
from ...domain.reward import Verdict
from .children import described
from .warden import Ending, WardenLost


def of_ending(ending: Ending, limits: Limits, passed: int, total: int) -> Grade:
    """A program that ended when it should not have.

    Raises:
        WardenLost: something outside has killed it.
    """
    if ending.status == -signal.SIGXCPU or ending.cpu >= limits.cpu:
        return Grade(Verdict.LIMIT, passed, total, "cpu", f"more than {limits.cpu} s of CPU time")
    if ending.is_killed_by_others and ending.starved:
        return Grade(Verdict.LIMIT, passed, total, "memory", "the sandbox's memory is used up")
    if ending.is_killed_by_others:
        # Neither can it have done so itself: the filter of system calls refuses.
        raise WardenLost("something outside has killed the program's process")
    return Grade(Verdict.CRASH, passed, total, "ended", described(ending))


def of_end(how: str, text: str, passed: int, total: int) -> Grade:
    """A program of which nothing more could be asked, by what the tests' process says of it."""
    if how in ("memory", "output"):
        return Grade(Verdict.LIMIT, passed, total, how, text)
    if how == "raised":
        return Grade(Verdict.CRASH, passed, total, "raises_when_loaded", text)
    if how == "unsendable":
        return Grade(Verdict.INFRA_ERROR, passed, total, "broken_tests", text)
    return Grade(Verdict.INVALID_OUTPUT, passed, total, "no_plain_value", text)


def of_checks(passed: int, total: int, detail: str, broken: str) -> Grade:
    """A program that was asked to the end."""
    if broken:
        return Grade(Verdict.INFRA_ERROR, passed, total, "broken_tests", broken)
    if not total:
        return Grade(Verdict.WRONG, 0, 0, "no_check_reached", "the tests reach none of their checks")
    return Grade(Verdict.PASSED if passed == total else Verdict.WRONG, passed, total, "", detail)


def out_of_time(limits: Limits, passed: int = 0, total: int = 0) -> Grade:
    """A program that has not ended when its time is over."""
    return Grade(Verdict.TIMEOUT, passed, total, "", f"more than {limits.wall:g} s")


def lost(cause: Sequence[object] | BaseException) -> Grade:
    """The sandbox failed."""
    return Grade(Verdict.INFRA_ERROR, reason="sandbox_failed", detail=str(cause))
