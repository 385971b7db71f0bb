"""What others' text may try on a terminal, each beginning and ending with letters that may be shown."""

from __future__ import annotations

import re

INJECTIONS = {
    "colour": "a\x1b[35;1mmagenta\x1b[0mz",
    "hidden text": "a\x1b[8mhidden\x1b[28mz",
    "clear the screen": "a\x1b[2J\x1b[Hz",
    "cursor up": "a\x1b[10A\x1b[2Kz",
    "cursor left": "a\x1b[1000Dz",
    "cursor saved and restored": "a\x1b7\x1b[s\x1b8\x1b[uz",
    "link": "a\x1b]8;;http://evil.example\x07click\x1b]8;;\x07z",
    "link with a string terminator": "a\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\z",
    "clipboard": "a\x1b]52;c;cm0gLXJmIC8K\x07z",
    "title": "a\x1b]0;owned\x07z",
    "file transfer": "a\x1b]1337;File=inline=1:AAAA\x07z",
    "sequence without an end": "a\x1b]0;all that follows z",
    "bell": "a\x07\x07z",
    "backspaces": "asafe\b\b\b\bevilz",
    "carriage return": "agood\revilz",
    "alternate screen": "a\x1b[?1049hz",
    "position report": "a\x1b[6n\x1b[cz",
    "reset": "a\x1bcz",
    "device control string": "a\x1bP+q544e\x1b\\z",
    "application command": "a\x1b_Gf=100;AAAA\x1b\\\x1b^x\x1b\\z",
    "character set": "a\x0e\x1b(0lqk\x0fz",
    "C1 sequence": "a\x9b35m\x9b2Jz",
    "C1 title": "a\x9d0;owned\x9cz",
    "bidi override": "a\u202egpj.exe\u202cz",
    "bidi isolates": "a\u2066x\u2067y\u2069\u200e\u200f\u061cz",
    "zero width": "a\u200b\u200c\u200d\u2060\ufeff\u00adz",
    "tags": "a\U000e0041\U000e0042\U000e007fz",
    "another row": "a\nfake-run  completed  9/9\tz",
    "another row by other breaks": "a\u2028fake-run  completed\u2029fake-run\x85fake-run\v\ffake-run z",
    "another row over this one": "a\r\nfake-run  completed\r\nz",
    "NUL and DEL": "a\x00\x7fz",
    "halves of a pair": "a\udfff\ud800z",
}

SGR = re.compile(r"\x1b\[(?:0|3[1236])m")
"""The colours that the tables of runs are in: red, green, yellow, cyan, and none."""

REDRAWN = re.compile(r"\x1b\[(?:\d+F|K|J)")
"""What draws a picture over the last one."""


def acting(text: str, *, redraws: bool = False) -> str:
    """What in an output acts on a terminal and is none of ours; empty where all is well."""
    left = SGR.sub("", text)
    if redraws:
        left = REDRAWN.sub("", left)
    left = left.replace("\r\n", "\n")
    return "".join(sign for sign in left if sign != "\n" and not sign.isprintable())
