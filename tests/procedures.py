"""Procedures: one that several tests train with, and others made up at random, for tests of their files."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from cesello.domain.procedure import (
    Eval,
    Expect,
    Fallback,
    Input,
    Kind,
    OnFail,
    Procedure,
    Step,
    Triggers,
)

RUN_CHECKS = """\
---
name: run-checks
description: Runs all checks of a module. Use when somebody asks to run the checks.
---
Begin with the slowest check.
"""
"""A ``SKILL.md``"""

RUN_CHECKS_SOP = """\
schema_version: 1
triggers:
  examples: [please run the checks of module 900, run the checks of module 901, are all checks of module 7 ok]
"""
"""and its ``sop.yaml``."""

_SEEN = st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Co", "Cn", "Zl", "Zp"])
TEXT = st.text(_SEEN, min_size=1, max_size=60).map(str.strip).filter(bool)
HARD_TEXT = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "---",
            "a --- b",
            "yes",
            "1.10",
            "null",
            "a: b",
            "# c",
            "'",
            '"',
            "\\",
            "- x",
            "{a}",
            "[b",
            "@c",
            "|",
        ]
    ),
)
NAME = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,6}){0,3}", fullmatch=True)
_TOOL = st.from_regex(r"[A-Za-z_]{1,8}(\([a-z:* ]{0,6}\))?", fullmatch=True)
_IDS = st.lists(st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True), unique=True, max_size=5)
_INPUTS = st.lists(st.from_regex(r"x_[a-z0-9]{1,5}", fullmatch=True), unique=True, max_size=3)
_EXPECTATIONS = st.one_of(
    st.builds(Expect, st.just(Kind.REGEX), st.sampled_from(["a|b", r"\d+ passed", "FAILED", "[]x]"])),
    st.builds(Expect, st.just(Kind.CONTAINS), HARD_TEXT),
    st.builds(Expect, st.just(Kind.EXIT_CODE), st.integers(0, 255)),
    st.builds(Expect, st.just(Kind.REWARD), st.floats(-1, 1).map(lambda value: round(value, 3))),
)


def write_run_checks(project: Path) -> None:
    """Puts that one among the procedures of a project."""
    folder = project / ".cesello" / "procedures" / "run-checks"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(RUN_CHECKS)
    (folder / "sop.yaml").write_text(RUN_CHECKS_SOP)


@st.composite
def procedures(draw: st.DrawFn) -> Procedure:
    """Any that is well-formed."""
    names, ids = draw(_INPUTS), draw(_IDS)
    requests = draw(st.lists(HARD_TEXT, unique_by=lambda text: " ".join(text.lower().split()), max_size=6))
    cut = draw(st.integers(0, len(requests)))
    queries = draw(st.lists(HARD_TEXT, unique=True, max_size=4))
    metadata = draw(st.dictionaries(HARD_TEXT, HARD_TEXT, max_size=3))
    extra: dict[str, object] = {"metadata": metadata} if metadata else {}
    if draw(st.booleans()):
        extra["license"] = draw(HARD_TEXT)
    return Procedure(
        name=draw(NAME),
        description=draw(HARD_TEXT.filter(lambda text: "<" not in text)),
        body=draw(st.lists(HARD_TEXT, min_size=1, max_size=5).map("\n\n".join)),
        allowed_tools=draw(st.sampled_from([(), ("shell",), ("Bash(git add:*)", "Read")])),
        triggers=Triggers(
            tuple(requests[:cut]),
            tuple(requests[cut:]),
            tuple(draw(st.lists(HARD_TEXT, max_size=2))),
            tuple(draw(st.lists(st.sampled_from(["*.py", "src/**"]), max_size=2))),
            draw(st.none() | st.floats(0, 1).map(lambda value: round(value, 4))),
        ),
        inputs=tuple(draw(_input(name)) for name in names),
        steps=tuple(draw(_step(ids, at, names)) for at in range(len(ids))),
        success=draw(st.sampled_from(["", *ids])),
        evals=tuple(Eval(query, draw(st.booleans())) for query in queries),
        extra=extra,
    )


@st.composite
def _input(draw: st.DrawFn, name: str) -> Input:
    required = draw(st.booleans())
    return Input(
        name, draw(st.just("") | HARD_TEXT), required, "" if required else draw(st.just("") | HARD_TEXT)
    )


@st.composite
def _step(draw: st.DrawFn, ids: list[str], at: int, inputs: list[str]) -> Step:
    expect = draw(st.none() | _EXPECTATIONS)
    fail = OnFail(then=draw(st.sampled_from(Fallback)))
    if expect is not None and draw(st.booleans()):
        fail = OnFail(
            draw(st.integers(0, 10)), fail.then, draw(st.sampled_from(ids)), draw(st.integers(1, 10))
        )
    conditions = ["", *(f"steps.{one}.ok" for one in ids[:at]), *(f'inputs.{one} == "a"' for one in inputs)]
    when = draw(st.sampled_from(conditions))
    return Step(ids[at], draw(HARD_TEXT), when, (), expect, fail)
