"""Addresses of servers, and the keys that are sent there."""

from __future__ import annotations

import pytest

from cesello.domain.errors import UsageError
from cesello.domain.server_address import address_of, checked_address, is_here, is_open, json_headers

SERVER = "a model's server"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1", "localhost:8000", "http://", "http:///v1", "file:///etc/passwd", "", "http://host:port",
        "http://host:99999", "http://host:0", "http://[::1", "http://me:secret@host", "http://me@host",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_shown(url: str) -> None:
    assert address_of(url) is None
    with pytest.raises(UsageError) as refused:
        checked_address(url, None, server=SERVER, code="C088")
    assert refused.value.code == "C088"
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "is_it"),
    [
        ("http://example.org/v1", True), ("http://127.0.0.1.example.org", True),
        ("https://example.org", False),
        ("http://localhost:8000/v1", False), ("http://127.0.0.1", False), ("http://[::1]:8000", False),
    ],
)  # fmt: skip
def test_a_key_is_not_sent_for_everybody_to_read(url: str, is_it: bool) -> None:
    parts = checked_address(url, None, server=SERVER, code="C088")
    assert is_open(parts) is is_it
    if is_it:
        with pytest.raises(UsageError, match="unencrypted"):
            checked_address(url, "KEY", server=SERVER, code="C088")
    else:
        assert checked_address(url, "KEY", server=SERVER, code="C088") == parts


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:8000", "https://127.0.0.1/v1", "postgresql:///db", "postgresql://localhost/db",
        "postgres://me@[::1]:5432/db", "postgresql:///db?host=/var/run/postgresql", "dbname=code user=me",
        "postgresql:///db?host=localhost,127.0.0.1&connect_timeout=3",
        "HTTP://LOCALHOST:8000", " http://[::1] ",
    ],
)  # fmt: skip
def test_a_server_is_on_this_machine(address: str) -> None:
    assert is_here(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org", "http://localhost@example.org", "http://[::1", "postgresql://example.org/db",
        "postgresql://localhost,example.org/db", "host=example.org", "hostaddr=192.0.2.1 dbname=code",
        # libpq goes to example.org with each of these.
        "host=example.org password=a://b", "postgresql:///db?host=example.org", "postgresql:///db#?host=example.org",
        "postgresql:///db?%68ost=example.org", "postgresql://localhost/db?hostaddr=192.0.2.1",
        "postgresql:///db?host=localhost&host=example.org", "postgresql:///db?host=localhost,example.org",
        # And with these wherever a file of services says.
        "service=there", "postgresql:///db?service=there&servicefile=there.conf",
        # Clients do not mind how a scheme is written, or what is before it.
        "HTTP://example.org/v1", "Https://example.org", " http://example.org", "\nhttp://example.org",
        "ftp://example.org", "POSTGRESQL://example.org/db",
        # libpq takes all before the @ for a name, and goes to the second where the first gives no answer.
        "postgresql://localhost?@example.org/db", "postgresql://localhost#@example.org/db",
        "postgresql://localhost:1,example.org:5432/db", "postgresql://[::1]:1,example.org/db",
    ],
)  # fmt: skip
def test_a_server_may_be_on_another_machine(address: str) -> None:
    assert not is_here(address)


def test_the_key_is_read_where_it_is_asked_for() -> None:
    headers = json_headers("KEY", {"KEY": " sesame\n"}, server=SERVER, code="C089")
    assert headers["Authorization"] == "Bearer sesame"
    assert "Authorization" not in json_headers(None, {"KEY": "sesame"}, server=SERVER, code="C089")


@pytest.mark.parametrize("environment", [{}, {"KEY": " "}])
def test_a_key_that_is_not_there_is_told(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"C089.*the key of a model's server") as missing:
        json_headers("KEY", environment, server=SERVER, code="C089")
    assert missing.value.fix == "export KEY=..."
