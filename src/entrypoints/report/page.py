"""A report as one page: nothing is fetched, nothing of the run is ever markup, and it reads on a phone."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib import metadata, resources
from typing import Any

from ...domain.prompt_verdict import PROVEN
from ...domain.run_report import Report, duration
from ...domain.secret_text import Redact
from .plain import Visible, plain

_STATUS = {"completed": "good", "running": "look", "interrupted": "look", "failed": "wrong"}

_PARTS = (
    ("gains", "before and after"),
    ("health", "health"),
    ("charts", "curves"),
    ("search", "search"),
    ("groups", "answers"),
    ("given", "memory and procedures"),
    ("ablation", "with and without"),
    ("samples", "samples"),
    ("mixture", "mixture"),
    ("rows", "rows"),
    ("time", "time"),
    ("provenance", "provenance"),
)
"""Keys of a report that have a part of the page, in its order, and what it is called."""

_ANCHORS = {"charts": "curves"}

_HAZARDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
"""What could end a script, begin a comment, or end a line: as JSON writes it."""


def page(report: Report, redact: Redact, visible: Visible) -> str:
    """The whole page.

    Args:
        redact: takes secrets out of texts.
        visible: see ``Visible``.
    """
    from jinja2 import Environment

    run = plain(report, redact, visible)
    style, program = _asset("page.css"), _asset("page.js")
    template = Environment(autoescape=True, trim_blocks=True).from_string(_asset("page.html.jinja"))
    shown = {key for key, _ in _PARTS if run.get(key)} | {"health", "provenance"}
    return template.render(
        run=_completed(run),
        parts=[(_ANCHORS.get(key, key), title) for key, title in _PARTS if key in shown],
        status_kind=_STATUS.get(report.status, ""),
        version=metadata.version("cesello"),
        policy=_policy(style, program),
        # These three the template takes as they are: ours, and JSON in which nothing is left that HTML reads.
        style=style,
        program=program,
        data=as_script_data(_drawn(run)),
    )


def as_script_data(value: object) -> str:
    """JSON that can stand within a ``script`` element, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_HAZARDS)


def _asset(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, program: str) -> str:
    """Nothing is loaded and nothing runs but these two texts (https://www.w3.org/TR/CSP3/)."""

    def of(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {of(style)}; script-src {of(program)}; base-uri 'none'; "
        "form-action 'none'"
    )


def _completed(run: Mapping[str, Any]) -> dict[str, Any]:
    """With what the template asks for and what is left out where it is empty."""
    lists = ("alarms", "notes", "verdict", "facts", "versions", "weights", "identity")
    made: dict[str, Any] = {key: [] for key in (*(key for key, _ in _PARTS), *lists)}
    made |= {"search": None, "given": None, "ablation": None, "time": None, "name": "", **run}
    if made["time"]:
        made["time"] = made["time"] | {"phases": [_timed(one) for one in made["time"]["phases"]]}
    made["gains"] = [one | {"way": _way(one)} for one in made["gains"]]
    if made["ablation"]:
        arms = [one | {"way": _way(one)} for one in made["ablation"].get("arms", ())]
        made["ablation"] = {"source": "", "reward": "", "planned": 0, **made["ablation"], "arms": arms}
    if made["given"]:
        made["given"] = _given(made["given"])
    made["health"] = {"findings": [], "fine": []} | dict(run.get("health", {}))
    if made["search"]:
        made["search"] = _searched(made["search"])
    return made


def _given(given: Mapping[str, Any]) -> dict[str, Any]:
    """By kind: of the memory, and of procedures."""
    kinds: dict[str, Any] = {
        kind: {
            name: [one for one in given.get(name, ()) if one["kind"] == kind]
            for name in ("arms", "lifts", "rows")
        }
        for kind in ("memory", "procedure")
    }
    return {"sources": [], "rows": [], "use": None, "searching": None, **given, **kinds}


def _timed(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "said": duration(one["seconds"])}


def _way(gain: Mapping[str, Any]) -> str:
    """Green or red where it is clear, by interval and p: of more that is better. A loss has no interval."""
    if "interval" not in gain or gain.get("p", 0.0) > PROVEN:
        return ""
    return "up" if gain["interval"]["low"] > 0 else "down" if gain["interval"]["high"] < 0 else ""


def _searched(search: Mapping[str, Any]) -> dict[str, Any]:
    candidates = [one | {"state": _state(one)} for one in search.get("candidates", ())]
    empty = {"tested": [], "spent": [], "budget": {}, "diff": {}, "left_out": 0, "rounds": 0, "unfinished": 0}
    return empty | dict(search) | {"candidates": candidates}


def _state(candidate: Mapping[str, Any]) -> str:
    if candidate.get("role") == "seed":
        return "first"
    if candidate.get("role") == "best":
        return "best"
    if candidate.get("rejected"):
        return "refused"
    return "accepted" if candidate.get("accepted") else "tried"


def _drawn(run: Mapping[str, Any]) -> dict[str, Any]:
    """What the page's program draws."""
    candidates: Sequence[Mapping[str, Any]] = run.get("search", {}).get("candidates", ())
    use: Mapping[str, Any] = run.get("given", {}).get("use", {})
    names = ("id", "mean", "interval", "parents", "number")
    return {
        "charts": run.get("charts", []),
        "rows": run.get("rows", []),
        "groups": run.get("groups", []),
        "passages": {one["id"]: one.get("text", "") for one in use.get("passages", ())},
        "candidates": [
            {name: one[name] for name in names if name in one} | {"state": _state(one)} for one in candidates
        ],
    }
