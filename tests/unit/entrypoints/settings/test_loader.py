"""Loading what is right: defaults, --set, the environment, the root, and the resolved recipe."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cesello.domain.errors import InvalidRecipe
from cesello.entrypoints.settings import LoadedRecipe, load_recipe
from cesello.entrypoints.settings.data_settings import FileSource, PackageSource
from cesello.entrypoints.settings.document import Keys, walk
from cesello.entrypoints.settings.reward_settings import CodingSettings
from cesello.entrypoints.settings.yaml_text import write_yaml

LEAST = """\
model: {name: org/model}
data:
  sources:
    - {name: code, kind: stdlib}
    - {name: chat, kind: file, path: chat/*.jsonl}
training: {max_steps: 10}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(LEAST)
    return path


def test_what_is_left_out_has_its_default(recipe: Path) -> None:
    found = load_recipe(recipe).recipe
    assert (found.algorithm, found.name, found.seed, found.output) == ("sft", None, 0, "runs")
    assert (found.quantizer.name, found.quantizer.double_quant) == ("none", True)
    assert (found.lora.r, found.lora.alpha, found.lora.dropout) == (16, 32, 0.05)
    assert found.lora.target_modules == "attention"
    assert (found.training.learning_rate, found.training.warmup_steps) == (2e-4, 0)
    assert found.data.system_prompt == "You are a helpful AI assistant specialized in coding."
    assert [(source.kind, source.weight, source.holdout) for source in found.data.sources] == [
        ("stdlib", 1.0, 24),
        ("file", 1.0, 24),
    ]
    assert found.evaluation.generate == ()
    assert found.memory.store == "chroma"


def test_nothing_of_it_changes_afterwards(recipe: Path) -> None:
    loaded = load_recipe(recipe)
    with pytest.raises(ValidationError):
        loaded.recipe.lora.r = 4
    with pytest.raises(FrozenInstanceError):
        loaded.root = Path("/")  # type: ignore[misc]


def test_steps_may_be_left_to_the_stop_rule(recipe: Path) -> None:
    recipe.write_text(LEAST.replace("training: {max_steps: 10}", "") + "\n")
    loaded = load_recipe(recipe, ["data.mixture.stop=all_seen"])
    assert loaded.recipe.training.max_steps is None


def test_a_source_of_no_weight_is_only_evaluated(recipe: Path) -> None:
    assert load_recipe(recipe, ["data.sources.chat.weight=0"]).recipe.data.sources[1].weight == 0


def test_set_changes_values_by_key_by_index_and_by_name(recipe: Path) -> None:
    found = load_recipe(
        recipe,
        [
            "training.learning_rate=1e-4",
            "data.sources.chat.weight=2",
            "data.sources.0.holdout=3",
            "lora.target_modules=[q_proj,v_proj]",
            "data.system_prompt=",
            "name='7'",
            "evaluation.generate=[{source: code, reward: function_calling}]",
            "evaluation.generate.code.rows=5",
            "training.learning_rate=2e-4",
        ],
    ).recipe
    assert found.training.learning_rate == 2e-4
    assert (found.data.sources[0].holdout, found.data.sources[1].weight) == (3, 2)
    assert found.lora.target_modules == ("q_proj", "v_proj")
    assert found.data.system_prompt is None
    assert found.name == "7"
    assert found.evaluation.generate[0].rows == 5


def test_rewards_have_their_kind_for_a_name_and_defaults(recipe: Path) -> None:
    found = load_recipe(recipe, ["rewards=[{kind: coding}, {kind: math, name: sums, weight: -0.5}]"]).recipe
    assert [(one.called, one.kind, one.weight) for one in found.rewards] == [
        ("coding", "coding", 1.0),
        ("sums", "math", -0.5),
    ]
    coding = found.rewards[0]
    assert isinstance(coding, CodingSettings)
    assert (coding.wall_seconds, coding.cpu_seconds, coding.memory_mb, coding.partial) == (
        10.0,
        5,
        1024,
        False,
    )
    assert (found.blend, found.sandbox.tier, found.sandbox.workers) == ("mean", "auto", None)


def test_set_finds_a_reward_by_its_name_or_its_kind(recipe: Path) -> None:
    rewards = "rewards=[{kind: coding}, {kind: coding, name: strict}]"
    sets = [rewards, "rewards.coding.cpu_seconds=2", "rewards.strict.partial=true", "rewards.1.weight=2"]
    first, second = load_recipe(recipe, sets).recipe.rewards
    assert isinstance(first, CodingSettings)
    assert isinstance(second, CodingSettings)
    assert (first.cpu_seconds, first.partial, first.weight) == (2, False, 1.0)
    assert (second.cpu_seconds, second.partial, second.weight) == (5, True, 2.0)


@pytest.mark.parametrize("name", ["coding", "combined", "length", "strict", "blend"])
def test_answers_are_graded_by_a_reward_of_the_recipe_a_built_in_one_or_all(recipe: Path, name: str) -> None:
    graded = "evaluation.generate=[{source: code, reward: " + name + "}]"
    loaded = load_recipe(recipe, ["rewards=[{kind: format, name: strict, pattern: 'a+'}]", graded])
    assert loaded.recipe.evaluation.generate[0].reward == name


def test_facts_are_a_map_or_a_list_of_columns(recipe: Path) -> None:
    sets = ["data.sources.code.reference=[test, setup]", "data.sources.chat.reference={tests: test}"]
    code, chat = load_recipe(recipe, sets).recipe.data.sources
    assert code.reference == {"test": "test", "setup": "setup"}
    assert (chat.reference, chat.task) == ({"tests": "test"}, None)


def test_set_may_replace_a_section_and_go_into_it(recipe: Path) -> None:
    sets = ["data.sources.chat={name: chat, kind: package, package: p, files: [a.json]}"]
    source = load_recipe(recipe, [*sets, "data.sources.chat.join.folder=b", "data.sources.chat.join.key=id"])
    package = source.recipe.data.sources[1]
    assert isinstance(package, PackageSource)
    assert package.join is not None
    assert (package.files, package.join.folder) == (("a.json",), "b")


def test_text_takes_variables_from_the_environment(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CESELLO_ORG", "org")
    loaded = load_recipe(
        recipe,
        [
            "model.name='${CESELLO_ORG}/model'",
            "data.system_prompt='$${CESELLO_ORG} $$ $CESELLO_ORG ${CESELLO_ORG}'",
        ],
    )
    assert loaded.recipe.model.name == "org/model"
    assert loaded.recipe.data.system_prompt == "${CESELLO_ORG} $$ $CESELLO_ORG org"


def test_a_variable_never_becomes_a_number(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CESELLO_STEPS", "5")
    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(recipe, ["training.max_steps='${CESELLO_STEPS}'"])
    assert [problem.code for problem in caught.value.problems] == ["C003"]


def test_a_variable_that_is_not_utf_8_is_told(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CESELLO_ORG", "caf\udce9")
    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(recipe, ["model.name='${CESELLO_ORG}'"])
    assert [problem.code for problem in caught.value.problems] == ["C012"]


def test_paths_resolve_under_the_recipes_folder(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    loaded = load_recipe(recipe)
    source = loaded.recipe.data.sources[1]
    assert isinstance(source, FileSource)
    assert loaded.root == recipe.parent
    assert loaded.resolve(source.path) == recipe.parent / "chat" / "*.jsonl"


def test_a_wider_root_lets_paths_reach_further(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    recipe = tmp_path / "recipes" / "recipe.yaml"
    recipe.write_text("root: ..\n" + LEAST)
    loaded = load_recipe(recipe, ["model.name=./models/mine", "data.sources.chat.path=recipes/../chat.jsonl"])
    assert loaded.root == tmp_path
    assert loaded.resolve(loaded.recipe.model.name) == tmp_path / "models" / "mine"


def test_a_wider_root_is_seen_from_the_path_as_it_was_written(tmp_path: Path) -> None:
    """``recipes/..`` is the folder where one stands, though ``recipes`` may lead elsewhere."""
    (tmp_path / "elsewhere" / "recipes").mkdir(parents=True)
    (tmp_path / "recipes").symlink_to(tmp_path / "elsewhere" / "recipes")
    (tmp_path / "recipes" / "recipe.yaml").write_text("root: ..\n" + LEAST)
    assert load_recipe(tmp_path / "recipes" / "recipe.yaml").root == tmp_path
    assert load_recipe(tmp_path / "elsewhere" / "recipes" / "recipe.yaml").root == tmp_path / "elsewhere"


def test_the_resolved_recipe_loads_as_the_same_from_elsewhere(recipe: Path, tmp_path: Path) -> None:
    loaded = load_recipe(
        recipe, ["lora.target_modules=[q_proj]", "data.system_prompt='1e-4 $${X}'", "seed=7"]
    )
    again = _reload(loaded, tmp_path / "run" / "recipe.yaml")
    assert again.recipe == loaded.recipe.model_copy(update={"root": str(loaded.root)})
    assert again.root == loaded.root
    assert again.as_yaml() == loaded.as_yaml()


def test_an_empty_column_is_named(recipe: Path) -> None:
    with pytest.raises(InvalidRecipe, match=r"columns\.prompt has the wrong form"):
        load_recipe(recipe, ["data.sources.chat.columns={prompt: ''}"])


def test_a_resolved_recipe_with_a_temperature_loads_again(recipe: Path, tmp_path: Path) -> None:
    loaded = load_recipe(recipe, ["data.mixture.temperature=0.5"])
    again = _reload(loaded, tmp_path / "run" / "recipe.yaml")
    assert again.recipe.data.mixture.temperature == 0.5


def test_what_a_variable_holds_is_not_written(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CESELLO_SECRET", "hunter2")
    loaded = load_recipe(recipe, ["data.sources.chat.columns={messages: 'x ${CESELLO_SECRET}'}"])
    assert loaded.recipe.data.sources[1].columns == {"messages": "x hunter2"}
    assert "hunter2" not in loaded.as_yaml()
    assert "hunter2" not in repr(loaded.written)
    assert _reload(loaded, tmp_path / "run" / "recipe.yaml").recipe.data == loaded.recipe.data


@pytest.mark.parametrize(
    "key", ["model.name", "quantizer.name", "training.max_steps", "data.sources.chat.path", "root", "name"]
)
def test_what_a_variable_holds_is_not_told(recipe: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CESELLO_SECRET", "HUNTER 2")
    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(recipe, [f"{key}='../${{CESELLO_SECRET}}'"])
    assert "HUNTER" not in str(caught.value)
    assert "${CESELLO_SECRET}" in str(caught.value)


def _reload(loaded: LoadedRecipe, path: Path) -> LoadedRecipe:
    path.parent.mkdir()
    path.write_text(loaded.as_yaml())
    return load_recipe(path)


anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
words = st.sampled_from(
    ["model", "name", "data", "sources", "kind", "file", "hub", "weight", "training", "a", "${X}"]
)
leaves = words | st.text() | st.integers() | st.floats() | st.none() | st.booleans()
maps = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(), inner, max_size=5)
)


def _only_invalid(path: Path, overrides: list[str]) -> None:
    """Lets nothing but InvalidRecipe pass, fit for a terminal; what loads, loads again as the same."""
    loaded = _load(path, overrides)
    if isinstance(loaded, InvalidRecipe):
        assert all(line.isprintable() and len(line) < 1000 for line in str(loaded).split("\n"))
    else:
        again = path.with_name("again.yaml")
        again.write_text(loaded.as_yaml(), encoding="utf-8")
        rooted = {"root": str(loaded.root)}
        assert load_recipe(again).recipe == loaded.recipe.model_copy(update=rooted)


def _load(path: Path, overrides: list[str]) -> LoadedRecipe | InvalidRecipe:
    try:
        return load_recipe(path, overrides)
    except InvalidRecipe as error:
        return error


@anything
@given(st.dictionaries(words | st.text(), maps, max_size=5))
def test_no_mapping_of_text_raises_anything_else(recipe: Path, mapping: dict[str, Any]) -> None:
    recipe.write_text(yaml.safe_dump(mapping, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    _only_invalid(recipe, [])


WHOLE: dict[str, Any] = {
    "algorithm": "sft",
    "root": ".",
    "model": {"name": "./model"},
    "lora": {"target_modules": ["q_proj"]},
    "data": {
        "mixture": {"temperature": None, "stop": "max_steps"},
        "sources": [
            {"kind": "hub", "name": "a", "repo": "o/r", "weight": 1.0, "columns": {"prompt": "p"}},
            {"kind": "file", "name": "b", "path": "x.jsonl", "min_characters": 1, "max_characters": 2},
            {
                "kind": "package",
                "name": "c",
                "package": "p",
                "files": ["f"],
                "join": {"folder": "g", "key": "id"},
            },
            {"kind": "stdlib", "name": "d", "modules": ["json"], "holdout": 1, "task": "coding"},
            {"kind": "file", "name": "e", "path": "y.jsonl", "reference": {"tests": "t"}},
        ],
    },
    "training": {"max_steps": 3, "warmup_steps": 1},
    "rewards": [
        {"kind": "coding", "weight": 1.0, "wall_seconds": 3.0},
        {"kind": "format", "pattern": "a+", "json_schema": None},
        {"kind": "length", "name": "short", "shortest": 1, "longest": 9},
        {"kind": "judge", "url": "http://localhost", "model": "m", "lowest": 0, "highest": 3},
        {"kind": "function", "function": "mine:judge", "arguments": {"by": 2}},
    ],
    "blend": "sum",
    "sandbox": {"tier": "remote", "url": "https://a", "token_env": "CESELLO_TOKEN", "workers": 2},
    "evaluation": {"generate": [{"source": "d", "reward": "function_calling"}]},
}


@anything
@given(st.lists(st.tuples(st.sampled_from([keys for keys, _ in walk(WHOLE) if keys]), maps), max_size=3))
def test_no_change_of_a_good_recipe_raises_anything_else(
    recipe: Path, changes: list[tuple[Keys, Any]]
) -> None:
    values = deepcopy(WHOLE)
    for keys, value in changes:
        holder: Any = values
        for key in keys[:-1]:
            holder = holder[key] if isinstance(holder, dict) and key in holder else _item(holder, key)
        if isinstance(holder, dict):
            holder[keys[-1]] = value
    recipe.write_text(write_yaml(values), encoding="utf-8", errors="surrogatepass")
    _only_invalid(recipe, [])


def _item(holder: Any, key: str | int) -> Any:
    return holder[key] if isinstance(holder, list) and isinstance(key, int) and key < len(holder) else None


@anything
@given(st.binary(max_size=200) | st.text(alphabet="[]{}:,-&*!|>'\"#%@`? \n\tab1").map(str.encode))
def test_no_bytes_raise_anything_else(recipe: Path, content: bytes) -> None:
    recipe.write_bytes(content)
    _only_invalid(recipe, [])


@anything
@given(
    st.lists(
        st.text()
        | st.builds(
            lambda path, value: f"{'.'.join(path)}={value}",
            st.lists(words | st.text(), min_size=1, max_size=4),
            st.text(alphabet="[]{}:,-&*!|>'\"$ ab1"),
        )
    )
)
def test_no_override_raises_anything_else(recipe: Path, overrides: list[str]) -> None:
    recipe.write_text(LEAST)
    _only_invalid(recipe, overrides)


def test_a_fact_without_a_name_is_a_mistake_like_others(recipe: Path) -> None:
    recipe.write_text(LEAST.replace("kind: stdlib", 'kind: stdlib, reference: {"": null}'))
    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(recipe)
    assert {problem.code for problem in caught.value.problems} == {"C003", "C010"}
