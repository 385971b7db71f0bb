"""``cesello sandbox``: where programs run that a model wrote."""

from __future__ import annotations

import os
from typing import Any

import click

from ...domain.code_tests import SandboxTier
from ...domain.errors import UsageError
from .output import echo_json

TIERS = ("auto", "landlock+bubblewrap", "landlock", "bubblewrap")


@click.group()
def sandbox() -> None:
    """Look at the sandbox, or serve it to machines that have none."""


@sandbox.command()
@click.option("--tier", type=click.Choice(TIERS), default="auto", show_default=True, help="Which to try.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(tier: str, as_json: bool) -> None:
    """Try the sandbox: how programs are held on this machine, and what that stops.

    Ends with status 6 when nothing can hold them.
    """
    from ..reward_wiring import sandbox as made

    found = made(_config(tier)).tier
    if as_json:
        echo_json({"name": found.name, "stops": found.stops, "missing": found.missing})
    else:
        for line in described(found):
            click.echo(line)


def described(tier: SandboxTier) -> list[str]:
    """For a person, a line each."""
    lines = [f"programs are held by {tier.name}"]
    if tier.stops:
        lines.append(f"refused when tried: {', '.join(tier.stops)}")
    return [*lines, *(f"not used: {one}" for one in tier.missing)]


@sandbox.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: a free one.")
@click.option("--token-env", help="The environment variable that holds the token clients must show.")
@click.option("--tier", type=click.Choice(TIERS), default="auto", show_default=True, help="How to hold them.")
@click.option("--workers", type=click.IntRange(1), help="Programs at a time; default: as many as cores.")
def serve(host: str, port: int, token_env: str | None, tier: str, workers: int | None) -> None:
    """Grade programs for other machines, until Ctrl-C.

    A recipe there says `sandbox: {tier: remote, url: ...}`.
    """
    from ..grading_server import GradingServer
    from ..reward_wiring import sandbox as made

    token = _token(token_env)
    grader = made(_config(tier, workers))
    for line in described(grader.tier):
        click.echo(line)
    with GradingServer(grader, host, port, token) as server:
        click.echo(f"serving on http://{host}:{server.server_address[1]}, until Ctrl-C")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("stopped")
        finally:
            grader.close()


def _config(tier: str, workers: int | None = None) -> dict[str, Any]:
    return {"tier": tier, "workers": workers, "url": None, "token_env": None}


def _token(name: str | None) -> str | None:
    if name is None:
        return None
    token = os.environ.get(name)
    if not token:
        raise UsageError("C093", "the token is not there", where="--token-env", got=f"{name} is not set")
    return token
