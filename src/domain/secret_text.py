"""Keys, tokens and passwords in texts that are kept or sent: each of them becomes ``[secret]``.

Two things give a secret away: its form, which many services chose so that it can be found, and that a
variable of the environment holds it whose name says so. What looks like one and is none is lost as well,
which costs less than a key that is in a log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

SECRET: Final = "[secret]"

Redact = Callable[[str], str]
"""A text without its secrets."""

_OF_WHAT = (
    "access|account|api|app|auth|bearer|bot|client|deploy|encryption|id|master|private|refresh|secret|service"
    "|session|shared|signing|storage|subscription|webhook"
)
_CLEAR_NAME = re.compile(
    rf"(?:^|[._-])(?:authorization|passphrase|\w*passw(?:or)?d|(?:{_OF_WHAT})[._-]?(?:key|token|secret))$",
    re.IGNORECASE,
)
"""What has such a name is a secret, whatever it looks like. ``output_tokens`` is none."""
_SECRET_NAME = re.compile(r"(?:^|[._-])(?:secret|credentials?|cookie|dsn|pwd)$|^token$", re.IGNORECASE)
"""Likewise of an attribute; in a line of text the same names stand before much else."""
_VAGUE_NAME = re.compile(r"(?:^|[._-])(?:key|token|pat)$", re.IGNORECASE)
"""``join.key`` is a column and ``next_token`` a number: what is so called is a secret if it looks like one.
A variable of the environment that is so called is one."""
_WORDS_MEET = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""``accountKey``"""

_NO_SECRETS = frozenset({"PWD", "OLDPWD"})
_PATH = re.compile(r"[.~]{0,2}/|[A-Za-z]:\\")
_LEAST = 6
"""Characters of a variable's value: shorter ones are found in every text."""

_ORDINARY = re.compile(r"\d{1,11}|[\d.]+(?:e-?\d+)?|true|false|none|null|default|disabled|enabled", re.I)

_KEY = r"(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"

_FORMS: Sequence[tuple[tuple[str, ...], re.Pattern[str]]] = (
    (("PRIVATE KEY",), re.compile(rf"-----BEGIN {_KEY}.*?(?:-----END {_KEY}|\Z)", re.DOTALL)),
    (("sk-",), re.compile(r"\bsk-[A-Za-z0-9_-]{16,}")),
    (("k_live_", "k_test_", "whsec_"), re.compile(r"\b(?:[srp]k_(?:live|test)|whsec)_[A-Za-z0-9]{10,}")),
    (("hf_",), re.compile(r"\bhf_[A-Za-z0-9]{20,}")),
    (("gh", "github_pat_"), re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})")),
    (("glpat-",), re.compile(r"\bglpat-[\w-]{16,}")),
    (("AKIA", "ASIA"), re.compile(r"\bA[KS]IA[A-Z0-9]{16}\b")),
    (("AIza",), re.compile(r"\bAIza[\w-]{30,}")),
    (("ya29.",), re.compile(r"\bya29\.[\w-]{20,}")),
    (("xox", "xapp-"), re.compile(r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}")),
    (("npm_", "pypi-", "nvapi-", "gsk_"), re.compile(r"\b(?:npm_|pypi-|nvapi-|gsk_)[\w-]{20,}")),
    (("SG.",), re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}")),
    (("eyJ",), re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*")),
    (
        ("://",),
        re.compile(r"(?<=://)(?:[^/?#@:\s\"'<>]{0,200}:[^/?#\s\"'<>]{0,500}|[^/?#@:\s\"'<>]{12,500})(?=@)"),
    ),
)
"""What must be in a text for a form to be looked for, and the form. Most are in
https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns."""

_SCHEMES = ("bearer", "basic", "token", "apikey")
_SCHEME = re.compile(
    rf"\b((?i:{'|'.join(_SCHEMES)})(?:[ +]|%20)+)"
    r"(?=[\w.~+/-]*(?:\d|=|[a-z][A-Z]|[A-Z]{2,}[a-z])|[\w.~+/-]{20})[\w.~+/-]{8,}=*"
)
"""As in a header, https://www.rfc-editor.org/rfc/rfc9110#name-authorization."""

_NAMES = (
    "key",
    "token",
    "secret",
    "passw",
    "passphrase",
    "credential",
    "pat",
    "pwd",
    "dsn",
    "authoriz",
    "cookie",
)
_ASSIGNED = re.compile(r"(?<![\w.-])([\w.-]{1,80}+)([\\\"']*\s?(?:=>?|:)\s?([\\\"']*))")
"""A name, and what stands between it and its value."""
_QUOTED = {quote: re.compile(rf"[^{quote}\\\r\n]{{4,500}}") for quote in "\"'"}
_BARE = re.compile(r"[^\s\"'\\&,;(){}<>\[\]]{6,}")
_SCHEMED = re.compile(rf"(?i:{'|'.join(_SCHEMES)}|digest)[ +]+(?=\S)")
_PROGRAM = re.compile(
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Za-z_]\w*(?=[(\[])|\$\w+|string|optional|required", re.IGNORECASE
)
"""``api_key=settings.key``, ``password = getpass()``, ``password: string``: where one is from."""
_HARD_TO_GUESS = re.compile(
    r"(?=[^\d]*\d)(?:(?=.*[a-z])(?=.*[A-Z])[^\s]{16,}|(?=.*[A-Za-z])[^\s]{20,})", re.DOTALL
)
"""Letters and digits, and many of them."""


def environment_secrets(environment: Mapping[str, str], used: Collection[str] = ()) -> tuple[str, ...]:
    """Values of variables that are secrets by their names, the longest first.

    Args:
        used: names of others that are secrets, since a recipe takes one out of them.
    """
    values = {
        value.strip()
        for name, value in environment.items()
        if name not in _NO_SECRETS and (is_secret_variable(name) or name in used)
    }
    telling = [value for value in values if len(value) >= _LEAST and not _ORDINARY.fullmatch(value)]
    return tuple(sorted(telling, key=lambda value: (-len(value), value)))


def redactor(environment: Mapping[str, str], used: Collection[str] = ()) -> Redact:
    """What replaces secrets by their form, and those of the environment as they are, quoted or encoded."""
    known = [
        (form, _whole_word(form) if form.isalpha() else None)
        for value in environment_secrets(environment, used)
        for form in _spellings(value)
    ]

    def redact(text: str) -> str:
        for value, word in known:
            if value in text:
                text = word.sub(SECRET, text) if word else text.replace(value, SECRET)
        return redacted(text)

    again = lru_cache(maxsize=4096)(redact)
    # Names of models, tools and finish reasons come again and again.
    return lambda text: again(text) if len(text) <= 64 else redact(text)


def redacted(text: str) -> str:
    """The text with ``[secret]`` where something has the form of one."""
    for signs, form in _FORMS:
        for sign in signs:
            if sign in text:
                text = form.sub(SECRET, text)
    folded = text.lower()
    if any(sign in folded for sign in _SCHEMES):
        text = _SCHEME.sub(rf"\1{SECRET}", text)
    if ("=" in text or ":" in text) and any(sign in folded for sign in _NAMES):
        text = _without_assigned(text)
    return text


def is_secret_name(name: str) -> bool:
    """Whether what has this name, as an attribute or a key, is a secret, whatever it looks like."""
    return _kind(name) in ("clear", "named")


def is_secret_variable(name: str) -> bool:
    """Likewise a variable of the environment; ``HF_TOKEN`` and ``DEPLOY_KEY`` are two."""
    return _kind(name) != ""


@lru_cache(maxsize=4096)
def _kind(name: str) -> str:
    """How clearly it is a secret's name; empty: not at all."""
    name = _WORDS_MEET.sub("_", name)
    forms = {"clear": _CLEAR_NAME, "named": _SECRET_NAME, "vague": _VAGUE_NAME}
    return next((kind for kind, form in forms.items() if form.search(name)), "")


def redacted_value(name: str, value: Any, redact: Redact = redacted) -> Any:
    """An attribute's value, or anything JSON can hold, without secrets; figures stay as they are."""
    if isinstance(value, str):
        return SECRET if value and _is_secret(name, value) else redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): redacted_value(str(key), one, redact) for key, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [redacted_value(name, one, redact) for one in value]
    return value


def _is_secret(name: str, value: str) -> bool:
    return is_secret_name(name) or (_kind(name) == "vague" and bool(_HARD_TO_GUESS.fullmatch(value)))


def _without_assigned(text: str) -> str:
    made: list[str] = []
    done = at = 0
    while found := _ASSIGNED.search(text, at):
        at = found.end()  # what is assigned to a name may itself hold a name and a value
        if place := _assigned(found, text):
            made += text[done : place[0]], SECRET
            done = at = place[1]
    return "".join(made) + text[done:]


def _assigned(found: re.Match[str], text: str) -> tuple[int, int] | None:
    """Where the secret begins and ends that is assigned here."""
    name, begin = found[1], found.end()
    if not (kind := _kind(name)):
        return None
    scheme = _SCHEMED.match(text, begin) if name.lower().endswith("authorization") else None
    begin = scheme.end() if scheme else begin
    quoted = (
        _QUOTED[found[3][-1]].match(text, begin) if kind == "clear" and found[3][-1:] in _QUOTED else None
    )
    value = quoted or _BARE.match(text, begin)
    if value is None or value[0].startswith(SECRET):
        return None
    if kind == "clear":
        program = None if quoted else _PROGRAM.match(text, begin)
        same = name.lower().endswith(value[0].lower())  # password=password
        is_one = not same and (program is None or program.end() < value.end())
    elif kind == "vague" or name.lower() == "token":
        is_one = bool(_HARD_TO_GUESS.fullmatch(value[0]))
    else:
        is_one = any(map(str.isdigit, value[0])) and not _PATH.match(value[0])
    return value.span() if is_one else None


def _whole_word(value: str) -> re.Pattern[str]:
    """A password that is a word is not found within other words; behind an escape or a code it is."""
    return re.compile(
        rf"(?:(?<![^\W_])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{{4}})|(?<=%[0-9a-fA-F]{{2}}))"
        rf"{re.escape(value)}(?![^\W_])"
    )


def _spellings(value: str) -> list[str]:
    """As it is, within JSON, and within an address."""
    forms = (
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value, safe=""),
    )
    return sorted(dict.fromkeys(forms), key=len, reverse=True)
