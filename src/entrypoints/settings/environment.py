"""``${NAME}`` in text is replaced from the environment; ``$${`` stands for the two characters themselves.

What is said of rewards, the sandbox, GRPO's engine and the memory can travel to another machine, which a
stranger's file names: there, only variables that were meant for cesello are replaced, ``${CESELLO_...}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...domain.errors import UsageError
from ...domain.secret_text import is_secret_variable, redacted
from ..redaction import keep_secret
from .document import Document, Keys, walk
from .problems import cut, quoted
from .yaml_text import has_surrogate

_TRAVELS = ("rewards", "sandbox", "grpo", "memory")
_MEANT = "CESELLO_"
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
_LOGIN = re.compile(r"://([^/?#\s]*)@")
"""In an address, who asks, and the password."""


def expand_environment(document: Document, environment: Mapping[str, str]) -> None:
    """Replaces references in the document's values; keys of maps are left alone."""
    for keys, text in [(keys, value) for keys, value in walk(document.value) if isinstance(value, str)]:
        if _name(keys).endswith("_env"):
            keep_secret([text])  # such a key names the variable that holds a secret
        expanded = _expand(text, keys, document, environment)
        if expanded != text:
            document.written[keys] = text
            if expanded is not None:
                _compare(text, keys, document, environment)
            document.get(*keys[:-1])[keys[-1]] = expanded


def _expand(text: str, keys: Keys, document: Document, environment: Mapping[str, str]) -> str | None:
    """The text with its references replaced; None, reported, when one cannot be."""
    wrong: dict[str, UsageError] = {}  # by what is wrong: the same variable twice is one problem

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        problem = _problem(match["name"], environment, travels=keys[0] in _TRAVELS)
        if problem is None:
            return environment[match["name"]]
        what, fix = problem
        wrong[what] = UsageError("C012", what, where=document.value_place(keys), fix=fix)
        return ""

    expanded = _REFERENCE.sub(replacement, text)
    for problem in wrong.values():
        document.report(keys, problem)
    return None if wrong else expanded


def _compare(text: str, keys: Keys, document: Document, environment: Mapping[str, str]) -> None:
    """Keeps what tells a change of the values, and which variables hold secrets.

    A key that was exchanged for another one changes nothing that comes out of a training.
    """
    names = _names(text)
    login = {name for part in _LOGIN.findall(text) for name in _names(part)}
    secret = {name for name in names if is_secret_variable(name)} | login
    if is_secret_variable(_name(keys)):
        secret = names
    keep_secret(secret)
    if names - secret:
        shown = _REFERENCE.sub(
            lambda it: it[0] if it["name"] in {*secret, None} else environment[it["name"]], text
        )
        document.compared[keys] = redacted(shown)


def _names(text: str) -> set[str]:
    return {match["name"] for match in _REFERENCE.finditer(text) if match["name"]}


def _name(keys: Keys) -> str:
    """Of a list's items that of the list."""
    return next((key for key in reversed(keys) if isinstance(key, str)), "")


def _problem(name: str | None, environment: Mapping[str, str], *, travels: bool) -> tuple[str, str] | None:
    if name is None:
        return 'text has "${" without a variable\'s name and "}"', "write ${NAME}, or $${ for the characters"
    if travels and not name.startswith(_MEANT):
        what = f"the environment variable {quoted(name)} could travel to another machine"
        return what, f"export {_MEANT}{cut(name)}=... and name that"
    if name not in environment:
        return (
            f"the environment variable {quoted(name)} is not set",
            f"export {cut(name)}=..., or write $${{ for the characters",
        )
    if has_surrogate(environment[name]):
        return f"the environment variable {quoted(name)} is not UTF-8", f"set {cut(name)} again in UTF-8"
    return None
