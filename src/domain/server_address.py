"""Where a server is, and how a key is sent to it: never for others to read."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, urlsplit

from .errors import UsageError

HERE = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine."""

BUSY = frozenset({408, 409, 425, 429})
"""Statuses, beside those from 500 on, after which the same request may pass later."""


def address_of(url: str) -> SplitResult | None:
    """The parts of ``http(s)://host[:port][/path]``; None for what is none, or holds a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        return None
    return parts if usable and "@" not in parts.netloc else None


def is_open(parts: SplitResult) -> bool:
    """Whether everybody on the way may read what is sent there."""
    return parts.scheme == "http" and parts.hostname not in HERE


def is_here(address: str) -> bool:
    """Whether a server is on this machine: a URL, or libpq's ``name=value ...``.

    libpq takes what stands before an ``@`` for a name and reads several hosts, also in the query of a URL
    and in files of services: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
    """
    address = address.strip()
    parts = address_of(address)
    if parts is not None:
        return parts.hostname in HERE
    if address.startswith(("postgresql://", "postgres://")):
        return _is_database_here(address)
    return not any(word in address for word in ("://", "host", "service"))


def _is_database_here(url: str) -> bool:
    first = url.partition("://")[2].partition("/")[0]
    if "," in first or "#" in first or "@" in first.partition("?")[2]:
        return False  # which libpq reads otherwise than ``urlsplit``
    before, _, query = url.partition("?")
    try:
        hosts = [urlsplit(before).hostname or "localhost"]
        options = parse_qsl(query, keep_blank_values=True)
    except ValueError:
        return False
    if any(name.startswith("service") for name, _ in options):
        return False
    hosts += [one for name, value in options if name.startswith("host") for one in value.split(",")]
    return all(host in HERE or host.startswith("/") for host in hosts)


def checked_address(url: str, key_env: str | None, *, server: str, code: str) -> SplitResult:
    """The parts of an address that can be used.

    Args:
        key_env: the environment variable of a key that is sent there, if any is.
        server: what errors call it, as ``a model's server``.
        code: of the errors.

    Raises:
        UsageError: it is no address, or a key would go over the network in the clear.
    """
    parts = address_of(url)
    if parts is None:  # which is not shown: it may hold a password
        raise UsageError(
            code, f"{server} has no usable address", expected="http(s)://..., without a password"
        )
    if key_env and is_open(parts):
        what = f"the key of {server} would be sent unencrypted"
        raise UsageError(code, what, got=url, expected="https://...")
    return parts


def json_headers(
    key_env: str | None, environment: Mapping[str, str], *, server: str, code: str
) -> dict[str, str]:
    """What a request for JSON begins with, the key as a bearer token where there is one.

    Args:
        key_env: the environment variable that holds the key; None: no key.
        server: what errors call it.
        code: of the error.

    Raises:
        UsageError: the variable is not set.
    """
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key_env:
        key = environment.get(key_env, "").strip()
        if not key:
            raise UsageError(
                code,
                f"the key of {server} is not there",
                expected=f"the environment variable {key_env}",
                fix=f"export {key_env}=...",
            )
        headers["Authorization"] = f"Bearer {key}"
    return headers
