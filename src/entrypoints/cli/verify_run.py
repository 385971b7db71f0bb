"""What ``cesello verify`` says of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import click

from ...domain.errors import CeselloError, DataError, ModelError, StoreError
from ...domain.run import RunSummary
from ...domain.run_verification import Check, Part, RunVerification
from .output import echo_json, printable

_KINDS: Mapping[Part, tuple[type[CeselloError], str, str, str]] = {
    Part.STATUS: (ModelError, "M099", "the run did not end as a whole", "train it to its end"),
    Part.DATA: (DataError, "D090", "the run's data are not what they were", "bring the rows back"),
    Part.MEMORY: (StoreError, "S015", "the memory is not the one that the run had", "remember it as it was"),
    Part.PROCEDURES: (
        StoreError,
        "S016",
        "the procedures are not those that the run had",
        "roll them back, see `cesello sop log`",
    ),
    Part.FIGURES: (ModelError, "M099", "the run's figures are not those of its logs", "take it for nothing"),
}
_FILES = (ModelError, "M098", "the run is not what was written", "take it from a copy, or train it again")
"""Of all other parts."""


def verify_run(run: RunSummary, *, debug: bool, as_json: bool, quick: bool) -> None:
    """Checks it, says what was found, and ends the command with the status of the first that has changed."""
    from ..verify_requests import verify_request
    from .watch import watched

    request, container = verify_request(run, quick=quick)
    with watched(container, debug, transformers=not quick):
        found = container.verify_run()(request)
    if as_json:
        checks = [{"part": check.part, "state": check.state, **_told(check)} for check in found.checks]
        echo_json(
            {
                "good": found.is_whole,
                "run": found.run,
                "name": found.name,
                "path": found.path,
                "root": found.root or None,
                "below_root": found.is_below_root,
                "checks": checks,
            }
        )
    else:
        _say(found)
    if found.changed:
        raise _failure(found)


def _told(check: Check) -> dict[str, object]:
    values = asdict(check)
    return {name: values[name] for name in ("said", "changes", "unchecked")}


def _say(found: RunVerification) -> None:
    click.echo(printable(f"run {found.run}: {found.path}"))
    if found.root:
        click.echo(printable(f"data, memory and procedures are those of {found.root}"))
    if not found.is_below_root:
        click.echo(
            "The run is not in that folder: if this is a copy of a project, the original is looked at."
        )
    for check in found.checks:
        unchecked = f"not checked: {check.unchecked}" if check.unchecked else ""
        if check.changes:
            lines = [f"CHANGED  {change}" for change in check.changes]
        else:
            lines = [", ".join(filter(None, [check.said, unchecked]))]
        for number, line in enumerate(lines):
            click.echo(printable(f"{check.part if not number else '':<12}{line}"))


def _failure(found: RunVerification) -> CeselloError:
    first = found.changed[0]
    kind, code, what, fix = _KINDS.get(first.part, _FILES)
    changes = [change for check in found.changed for change in check.changes]
    more = f"; and {len(changes) - 3} more" if len(changes) > 3 else ""
    return kind(code, what, where=found.path, got="; ".join(changes[:3]) + more, fix=fix)
