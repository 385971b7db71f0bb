"""What holds between the keys of the rewards, of the sandbox, and of what names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...domain.errors import UsageError
from .contradictions import contradiction, is_number, maps
from .document import Document, Keys
from .problems import pick, quoted
from .reward_settings import BLEND, BUILT_IN, ChatSettings, JudgeSettings
from .validation import missing_key

_LONGEST = ChatSettings.model_fields["longest"].default
_SCALE = tuple(JudgeSettings.model_fields[key].default for key in ("lowest", "highest"))


def check_rewards(document: Document) -> None:
    """Reports C006 to C009 where they do not go together."""
    _check_names(document)
    _check_formats(document)
    _check_lengths(document)
    _check_scales(document)
    _check_tasks(document)
    _check_graders(document)
    _check_sandbox(document)


def _called(reward: dict[str, Any]) -> Any:
    return reward.get("name") or reward.get("kind")


def _rewards(document: Document) -> Iterator[tuple[Keys, dict[str, Any]]]:
    for index, reward in maps(document, "rewards"):
        yield ("rewards", index), reward


def _rewards_of_kind(document: Document, kind: str) -> Iterator[tuple[Keys, dict[str, Any]]]:
    return ((keys, reward) for keys, reward in _rewards(document) if reward.get("kind") == kind)


def _check_names(document: Document) -> None:
    seen: dict[str, Keys] = {}
    for keys, reward in _rewards(document):
        name, place = _called(reward), (*keys, "name" if reward.get("name") else "kind")
        if not isinstance(name, str) or document.is_wrong(place):
            continue
        if name == BLEND:
            what = f"{quoted(BLEND)} is what all rewards together are called"
            contradiction(document, place, what, "give it another name")
        elif name in seen:
            problem = UsageError(
                "C008",
                f"two rewards are called {quoted(document.as_written(place))}",
                where=document.value_place(place),
                fix=f"give one of them another name; the first is at {document.value_place(seen[name])}",
            )
            document.report(place, problem)
        else:
            seen[name] = place


def _check_formats(document: Document) -> None:
    for keys, reward in _rewards_of_kind(document, "format"):
        given = [key for key in ("pattern", "json_schema") if reward.get(key) is not None]
        if len(given) > 1:
            what = "a form is a pattern or a json_schema, not both"
            contradiction(document, (*keys, "json_schema"), what, "remove one, or make two rewards of it")
        elif not given and not document.is_wrong(keys):
            example = "pattern: a regular expression, or a json_schema"
            document.report(keys, missing_key((*keys, "pattern"), document, example))


def _check_lengths(document: Document) -> None:
    for keys, reward in [*_rewards_of_kind(document, "chat"), *_rewards_of_kind(document, "length")]:
        shortest = document.sound(*keys, "shortest")
        longest = document.sound(*keys, "longest") if "longest" in reward else _LONGEST
        if is_number(shortest) and is_number(longest) and shortest > longest:
            what, fix = "no answer can be that long and that short", "lower shortest or raise longest"
            numbers = {"got": f"at least {shortest}", "expected": f"at most {longest}, longest"}
            contradiction(document, (*keys, "shortest"), what, fix, **numbers)


def _check_scales(document: Document) -> None:
    for keys, _ in _rewards_of_kind(document, "judge"):
        given = (document.sound(*keys, "lowest"), document.sound(*keys, "highest"))
        lowest, highest = (
            default if one is None else one for one, default in zip(given, _SCALE, strict=True)
        )
        if is_number(lowest) and is_number(highest) and lowest >= highest:
            key = "lowest" if given[0] is not None else "highest"
            contradiction(
                document, (*keys, key), "the scale has no two grades", "raise highest or lower lowest"
            )


def _check_tasks(document: Document) -> None:
    """A task that the source declares and one that its rows tell cannot both hold."""
    for index, source in maps(document, "data", "sources"):
        facts = source.get("reference")
        if source.get("task") is not None and isinstance(facts, dict | list) and "task" in facts:
            what = "the task of a row comes from its column or from task, not from both"
            contradiction(document, ("data", "sources", index, "task"), what, "remove one of them")


def _check_graders(document: Document) -> None:
    """What is named to grade answers is there, and a blend has something to blend."""
    rewards = [(_called(reward), keys) for keys, reward in _rewards(document)]
    graded: set[str] = set()
    names = [name for name, _ in rewards if isinstance(name, str)]
    known: list[str] = list(dict.fromkeys([*names, *([BLEND] if rewards else []), *BUILT_IN]))
    for index, one in maps(document, "evaluation", "generate"):
        keys: Keys = ("evaluation", "generate", index, "reward")
        if isinstance(source := one.get("source"), str):
            if source in graded:
                what = f"the answers to {quoted(source)} are graded by one reward"
                contradiction(document, keys, what, "name blend for several, or remove it")
            graded.add(source)
        name = document.sound(*keys)
        if not isinstance(name, str) or not name:
            continue
        if name not in known:
            what = f"no reward is called {quoted(document.as_written(keys))}"
            where = document.value_place(keys)
            document.report(keys, UsageError("C009", what, where=where, fix=pick(name, known)))
        elif name == BLEND and all(document.sound(*at, "weight") == 0 for _, at in rewards):
            what = "all rewards have the weight 0: there is nothing to blend"
            contradiction(document, keys, what, "give at least one reward another weight")


def _check_sandbox(document: Document) -> None:
    tier = document.sound("sandbox", "tier") or "auto"
    url = document.get("sandbox", "url")
    if tier == "remote" and url is None and not document.is_wrong(("sandbox",)):
        keys: Keys = ("sandbox", "url")
        document.report(
            keys, missing_key(keys, document, "url: https://... of the service that runs programs")
        )
    if tier != "remote":
        for key in ("url", "token_env"):
            if document.sound("sandbox", key) is not None:
                what = f"{key} is for the tier remote alone"
                contradiction(document, ("sandbox", key), what, "set tier to remote, or remove it")
