"""Each process draws and judges its share of a step's prompts; all of them learn from all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ...domain.errors import CeselloError, RetryableError
from ...domain.reinforcement import Judged, JudgedGroup
from . import workers

MakeGroups = Callable[[Sequence[int]], list[JudgedGroup]]
"""Draws and judges for the prompts at these places, at least one."""


def of_all_processes(prompts: int, make: MakeGroups) -> list[JudgedGroup]:
    """The groups of that many prompts, the same in every process and in the prompts' order.

    What a process made travels as text: JSON gives floats back to the bit, and runs nothing.

    Raises:
        RetryableError: T078 where another process failed; what failed in this one is raised as it is. No
            process waits for one that has failed.
    """
    if workers.count() == 1:
        return make(range(prompts))
    failure: Exception | None = None
    said: dict[str, Any] = {}
    try:
        mine = range(workers.number(), prompts, workers.count())
        said["groups"] = groups_as_plain(make(mine) if mine else [])
    except Exception as cause:  # whatever it is, the others have to know
        failure = cause
        said["failed"] = str(cause) if isinstance(cause, CeselloError) else f"{type(cause).__name__}: {cause}"
    everyone = [json.loads(text) for text in workers.told_by_all(json.dumps(said))]
    if failure is not None:
        raise failure
    for number, one in enumerate(everyone):
        if "failed" in one:
            raise _other_failed(number, one["failed"])
    shares = [iter(groups_from(one["groups"])) for one in everyone]
    return [next(shares[place % len(shares)]) for place in range(prompts)]


def groups_as_plain(groups: Sequence[JudgedGroup]) -> list[dict[str, Any]]:
    """As JSON has them; which tokens are trained goes as hexadecimal digits."""
    plain = [asdict(one) for one in groups]
    for group in plain:
        for judged in group["completions"]:
            judged["trained"] = judged["trained"].hex()
    return plain


def groups_from(values: Sequence[Mapping[str, Any]]) -> list[JudgedGroup]:
    """From plain data."""
    return [
        JudgedGroup(**{**one, "completions": [_judged(judged) for judged in one["completions"]]})
        for one in values
    ]


def _judged(values: Mapping[str, Any]) -> Judged:
    return Judged(**{**values, "trained": bytes.fromhex(values["trained"])})


def _other_failed(number: int, why: str) -> RetryableError:
    return RetryableError(
        "T078",
        "another process could not draw and judge its share of the completions",
        where=f"process {number}",
        got=why.partition("\n")[0],
        fix="see what it says; `cesello train RECIPE --resume` goes on",
    )
