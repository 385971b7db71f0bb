"""What is not seen, and what is secret."""

from __future__ import annotations

import pytest

from cesello.domain.text_hazards import hazards


@pytest.mark.parametrize(
    ("sign", "what"),
    [
        ("\x1b", "control"),
        ("\x00", "control"),
        ("\x9b", "control"),
        ("\u202e", "direction"),
        ("\u2066", "direction"),
        ("\u200b", "nobody sees"),
        ("\ufeff", "nobody sees"),
        ("\U000e0041", "nobody sees"),
    ],
)
def test_what_is_not_seen_is_told_with_its_place(sign: str, what: str) -> None:
    [found] = hazards(f"first\nab{sign}c")
    assert what in found.what
    assert f"U+{ord(sign):04X}" in found.what
    assert (found.line, found.column, found.secret) == (2, 3, False)


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN RSA PRIVATE" + " KEY-----",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a" * 70,
        "AKIA" + "Q7" * 8,
        "AIza" + "b" * 35,
        "xoxb-" + "1" * 24,
        "hf_" + "x" * 34,
        "sk-proj-" + "y" * 40,
    ],
)
def test_a_secret_is_told_and_not_repeated(secret: str) -> None:
    [found] = hazards(f"use {secret} here")
    assert (found.secret, found.column) == (True, 5)
    assert secret not in found.what


@pytest.mark.parametrize(
    "text",
    [
        "plain\ttext\r\nwith lines",
        "\ufeffa mark at the beginning",
        "perché però: così è",
        "👩‍💻 joined signs",
        "نیم‌فاصله",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "sk-learn, ask-me-anything, task-1234567890",
        "$GITHUB_TOKEN",
    ],
)
def test_what_people_write_passes(text: str) -> None:
    assert not list(hazards(text))
