"""What is printed: aligned, and never a control sequence out of data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.entrypoints.cli.output import echo_json, echo_table, one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hcleared", "cleared"),
        ("\x1b[?25lhidden", "hidden"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "31mred"),
        ("over\rwritten", "overwritten"),
        ("back\b\x00space\x7f", "backspace"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("perché 日本 🙂", "perché 日本 🙂"),
        ("\x1b", ""),
        ("\x1b[", "["),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("a\u200b\u2060\ufeffb", "ab"),
        ("tag\U000e0041s", "tags"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_control_sequences_are_taken_out_and_text_stays(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters() | st.sampled_from("\x1b\x9b\x9d[];\x07\\m")))
def test_nothing_that_controls_a_terminal_is_left(text: str) -> None:
    left = {ord(character) for character in printable(text)}
    assert not left & ({*range(0x20), *range(0x7F, 0xA0)} - {0x09, 0x0A})


def test_a_cell_is_one_line() -> None:
    assert one_line("a\nb\r\n\tc\u2028d\x85e\u200df") == "a b c d ef"
    assert one_line(7) == "7"


def test_no_cell_makes_another_row(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(["name", "n"], [("a\nb  2", 1)])
    assert capsys.readouterr().out.count("\n") == 2


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(["name", "n"], [("a", 1), ("\x1b[31mlong name", 23)], right=(1,))
    assert capsys.readouterr().out == "name        n\na           1\nlong name  23\n"


def test_json_knows_dataclasses_and_paths(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass
    class Point:
        name: str
        path: Path

    echo_json(Point("perché", Path("a/b")))
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": "perché", "path": "a/b"}
    assert "perché" in out


def test_control_characters_are_escaped_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\x1b[31mred\x9b\u202e\u200b\u200d\U000e0041"
    echo_json({"text": text})
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert json.loads(out) == {"text": text}
