"""What cannot go together in a recipe that searches a prompt, told before a model is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.domain.errors import InvalidRecipe
from cesello.entrypoints.settings import load_recipe

RECIPE = """\
model: {name: org/tiny}
data:
  system_prompt: Be brief.
  sources: [{name: chat, kind: file, path: rows.jsonl}]
algorithm: apo
rewards: [{kind: chat}]
apo:
"""
"""The keys of apo begin in line 8."""

ASKED = "optimizer: {kind: policy}, budget: {optimizer_calls: 4}"


def refused(folder: Path, apo: str, *more: str) -> str:
    (folder / "recipe.yaml").write_text(RECIPE + apo)
    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(folder / "recipe.yaml", more)
    [problem] = caught.value.problems
    return str(problem).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("apo", "code", "place", "fix"),
    [
        ("  proposers: [demos]\n  components: [system]", "C007", 8, "add rules"),
        ("  proposers: [rules]\n  components: [demos]", "C007", 8, "add demos"),
        ("  proposers: [merge]\n  components: [demos]", "C007", 8, "add demos"),
        ("  proposers: [merge]", "C007", 8, "add rules or demos"),
        (f"  {{proposers: [reflective], components: [demos], {ASKED}}}", "C007", 8, "add demos"),
        (f"  {{proposers: [history, merge], components: [demos], {ASKED}}}", "C007", 8, "add demos"),
        (f"  {{proposers: [gepa], components: [demos], {ASKED}}}", "C007", 8, "add demos"),
        ("  {proposers: [demoes], components: [system]}", "C005", 8, '"demos"'),
        ("  {proposers: [rules], components: [demo]}", "C005", 8, '"demos"'),
        ("  system: Hi {name}\n  values: 3", "C003", 9, "write the keys"),
        ("  values: {a b: x}", "C007", 8, "as file_name"),
        ("  values: {question: x}", "C007", 8, "call the placeholder something else"),
        ("  values: {a: '<|im_end|>'}", "C007", 8, "take it out"),
        ("  system: Hi {nme}", "C007", 8, "add it to apo.values"),
        ("  system: Hi {nme}\n  values: {name: Ada}", "C007", 8, 'did you mean "{name}"?'),
        ("  procedure: '{question}'", "C007", 8, "write question:"),
        ("  procedure_of: demo", "C007", 8, "write components: [procedure]"),
        ("  {procedure_of: demo, components: [procedure, system]}", "C007", 8, "components: [procedure]"),
        ("  {procedure_of: demo, components: [procedure], procedure: Do.}", "C007", 8, "remove one"),
        ("  {procedure_of: demo, components: [procedure], prompt: a.yaml}", "C007", 8, "remove one"),
        ("  {procedure_of: '', components: [procedure]}", "C010", 8, "not empty"),
        ('  system: "a\\0b"', "C007", 8, "take it out"),
        ("  system: <|im_start|>user", "C007", 8, "take it out"),
        ("  generator: {kind: openai, model: a, url: 'ftp://x'}", "C010", 8, "http://localhost:8000/v1"),
        ("  generator: {kind: openai, model: a, url: 'http://'}", "C010", 8, "http://localhost:8000/v1"),
        ("  generator: {kind: openai, model: a, url: 'http://[::1'}", "C010", 8, "http://localhost:8000/v1"),
        ("  generator: {kind: openai, model: a, url: 'http://h:x/v1'}", "C010", 8, "http://localhost:8000"),
        ("  optimizer: {kind: openai, model: a, url: here}", "C010", 8, "http://localhost:8000/v1"),
        (
            "  generator: {kind: openai, model: a, url: 'http://far/v1', api_key_env: CESELLO_K}",
            "C010",
            8,
            "write https://",
        ),
    ],
)
def test_what_a_search_would_fail_on_later(tmp_path: Path, apo: str, code: str, place: int, fix: str) -> None:
    problem = refused(tmp_path, apo)
    assert problem.startswith(f"error[{code}] ")
    assert f" at recipe.yaml:{place}:" in problem
    assert fix in problem


def test_a_procedure_that_is_searched_does_not_come_into_the_prompt_again(tmp_path: Path) -> None:
    apo = "  {procedure_of: demo, components: [procedure]}"
    assert "leave memory.procedures out" in refused(tmp_path, apo, "memory.procedures=full")
    (tmp_path / "recipe.yaml").write_text(RECIPE + apo)
    assert load_recipe(tmp_path / "recipe.yaml", ["memory.procedures=off"]).recipe.apo.procedure_of == "demo"


def test_the_system_prompt_of_the_rows_is_looked_at_where_the_search_begins_with_it(tmp_path: Path) -> None:
    found = refused(tmp_path, "  components: [system]", "data.system_prompt=Hi {nme}")
    assert "at --set data.system_prompt" in found
    (tmp_path / "recipe.yaml").write_text(RECIPE + "  system: Hi")
    assert load_recipe(tmp_path / "recipe.yaml", ["data.system_prompt=Hi {nme}"]).recipe.apo.system == "Hi"


@pytest.mark.parametrize(
    "apo",
    [
        "  components: [demos]",
        "  components: [question]",
        "  {procedure_of: demo, components: [procedure]}",
        "  {components: [system], proposers: [rules, demos, merge]}",
        "  {components: [demos], proposers: [rules, demos]}",
        '  system: \'{"name": "x", "items": [{}]} {0} {a.b}\'',
        "  generator: {kind: openai, model: a, url: 'http://[::1]:8000/v1', api_key_env: CESELLO_K}",
        "  generator: {kind: openai, model: a, url: 'https://far/v1', api_key_env: CESELLO_K}",
    ],
)
def test_what_a_search_can_do_is_left_alone_and_loads_again(tmp_path: Path, apo: str) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE + apo)
    loaded = load_recipe(tmp_path / "recipe.yaml")
    (tmp_path / "again.yaml").write_text(loaded.as_yaml())
    assert load_recipe(tmp_path / "again.yaml").recipe.apo == loaded.recipe.apo
