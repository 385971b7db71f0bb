"""What a recipe's model and LoRA sections become for the use cases."""

from __future__ import annotations

import importlib
from hashlib import sha256
from pathlib import Path

import pytest

from cesello.application.open_run import RunChoice
from cesello.application.same_training import check_same, named
from cesello.domain.checkpoint import CheckpointPlan
from cesello.domain.errors import UsageError
from cesello.domain.footprint import RowSize
from cesello.entrypoints.redaction import redact
from cesello.entrypoints.requests import (
    NOT_THE_STEPS,
    finetune_request,
    lora_spec,
    model_spec,
    recipe_container,
)
from cesello.entrypoints.settings import LoadedRecipe, load_recipe
from cesello.entrypoints.start_weights import missing_start

RECIPE = """\
model: {name: org/model, dtype: bfloat16, device_map: auto}
quantizer: {name: nf4, upcast: true}
data:
  sources:
    - {name: code, kind: stdlib}
training: {max_steps: 10}
"""


def loaded(folder: Path, *changes: str) -> LoadedRecipe:
    (folder / "recipe.yaml").write_text(RECIPE)
    return load_recipe(folder / "recipe.yaml", changes)


def test_what_decides_about_the_weights_is_the_models(tmp_path: Path) -> None:
    model = model_spec(loaded(tmp_path))
    assert (model.name, model.dtype, model.device_map, model.upcast) == (
        "org/model",
        "bfloat16",
        "auto",
        True,
    )
    assert (model.attention, model.device) == ("auto", "auto")


def test_a_request_names_its_quantizer(tmp_path: Path) -> None:
    request = finetune_request(loaded(tmp_path, "quantizer.name=int8"))
    assert request.quantizer == "int8"
    assert request.checks_memory


@pytest.mark.parametrize(
    ("change", "largest"),
    [("training.accumulate=1", RowSize(712, 512)), ("training.accumulate=4", RowSize(2848, 2048))],
)
def test_a_pass_of_reinforcement_may_hold_the_prompts_of_the_whole_step(
    change: str, largest: RowSize, tmp_path: Path
) -> None:
    changes = ("algorithm=grpo", "rewards=[{kind: length}]", "grpo.max_completion_tokens=64")
    sizes = ("training.batch_size=1", "data.max_tokens=200", change)
    assert finetune_request(loaded(tmp_path, *changes, *sizes)).group == largest


def test_the_sections_keys_reach_lora(tmp_path: Path) -> None:
    changes = ("lora.rslora=true", "lora.init=gaussian", "lora.modules_to_save=[norm]", "lora.dora=true")
    lora = lora_spec(loaded(tmp_path, *changes))
    assert (lora.rslora, lora.dora, lora.init, lora.modules_to_save) == (True, True, "gaussian", ("norm",))
    assert lora.continue_from is None


@pytest.mark.parametrize("inside", [True, False], ids=["run", "weights"])
def test_a_run_to_go_on_from_stands_for_its_weights(tmp_path: Path, inside: bool) -> None:
    weights = tmp_path / "runs" / "first" / "lora"
    weights.mkdir(parents=True)
    named = "runs/first" if inside else "runs/first/lora"
    recipe = loaded(tmp_path, f"lora.continue_from={named}")
    assert lora_spec(recipe).continue_from == str(weights.resolve())


@pytest.mark.parametrize(
    ("named", "exists", "says"),
    [
        ("runs/quickstart", False, "`cesello train recipes/quickstart.yaml --run quickstart`"),
        ("runs/quickstart/lora", False, "`cesello train recipes/quickstart.yaml --run quickstart`"),
        ("runs/quickstart", True, "`cesello train recipes/quickstart.yaml --run quickstart --resume`"),
        ("elsewhere/quickstart", False, "`cesello train RECIPE --run quickstart`"),
    ],
)
def test_what_makes_missing_weights_to_go_on_from_is_told(
    named: str, exists: bool, says: str, tmp_path: Path
) -> None:
    if exists:
        (tmp_path / named).mkdir(parents=True)
    missing = missing_start(loaded(tmp_path, f"lora.continue_from={named}"))
    assert missing is not None
    assert says in str(missing.fix)


def test_a_search_that_asks_servers_alone_needs_no_weights(tmp_path: Path) -> None:
    server = "{kind: openai, url: http://localhost:1/v1, model: m}"
    changes = ("algorithm=apo", "rewards=[{kind: length}]", "lora.continue_from=runs/first")
    assert missing_start(loaded(tmp_path, *changes)) is not None
    assert missing_start(loaded(tmp_path, *changes, f"apo.generator={server}")) is None


def test_the_recipe_kept_with_a_run_that_goes_on_loads_again(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "kept.yaml").write_text(loaded(tmp_path, "lora.continue_from=weights").as_yaml())
    assert load_recipe(tmp_path / "kept.yaml").recipe.lora.continue_from == "weights"


def test_what_is_left_out_saves_every_ten_minutes_and_evaluates_before_and_after(tmp_path: Path) -> None:
    request = finetune_request(loaded(tmp_path))
    assert request.checkpoints == CheckpointPlan()
    assert (request.evaluation.every_steps, request.evaluation.patience) == (None, None)
    assert request.choice == RunChoice()
    plan = request.data.plan
    assert (plan.optimizer, plan.strategy, plan.skips_nonfinite, plan.deterministic) == (
        "adamw",
        "auto",
        False,
        False,
    )


def test_the_schedules_reach_the_training(tmp_path: Path) -> None:
    recipe = loaded(
        tmp_path,
        "checkpoint={every_steps: 5, every_minutes: null, keep_last: 3, keep_best: 2, final: best}",
        "evaluation={every_steps: 4, patience: 2, least_improvement: 0.1}",
        "training={max_steps: 9, on_nonfinite: skip, deterministic: true}",
        "training.optimizer=adamw_8bit",
        "training.strategy=ddp",
    )
    request = finetune_request(recipe, RunChoice("mine", resume=True))
    assert request.checkpoints == CheckpointPlan(5, None, 3, 2, ends_with_best=True)
    evaluation, plan = request.evaluation, request.data.plan
    assert (evaluation.every_steps, evaluation.patience, evaluation.least_improvement) == (4, 2, 0.1)
    assert (plan.skips_nonfinite, plan.deterministic, plan.optimizer) == (True, True, "adamw_8bit")
    assert plan.strategy == "ddp"
    assert request.choice == RunChoice("mine", resume=True)


# What the steps depend on


def test_every_key_of_a_recipe_is_a_setting_of_the_steps_or_named_as_none(tmp_path: Path) -> None:
    recipe = loaded(tmp_path)
    keys = {key.partition(".")[0].partition("[")[0] for key in finetune_request(recipe).settings}
    assert keys | {*NOT_THE_STEPS} == type(recipe.recipe).model_fields.keys()
    assert not keys & {*NOT_THE_STEPS}


@pytest.mark.parametrize(
    ("change", "key", "before", "after"),
    [
        ("training.learning_rate=1e-3", "training.learning_rate", "0.0002", "0.001"),
        ("seed=7", "seed", "0", "7"),
        ("lora.r=8", "lora.r", "16", "8"),
        ("data.sources.code.weight=2", "data.sources[0].weight", "1.0", "2.0"),
        ("rewards=[{kind: coding}]", "rewards[0].wall_seconds", None, "10.0"),
        ("blend=sum", "blend", '"mean"', '"sum"'),
        ("algorithm_arguments={by: 2}", "algorithm_arguments.by", None, "2"),
        ("evaluation.every_steps=3", "evaluation.every_steps", "null", "3"),
        ("model.name=org/other", "model.name", '"org/model"', '"org/other"'),
    ],
)
def test_a_change_of_the_steps_is_seen_at_its_key(
    tmp_path: Path, change: str, key: str, before: str | None, after: str
) -> None:
    stored = finetune_request(loaded(tmp_path)).settings
    now = finetune_request(loaded(tmp_path, change)).settings
    assert (stored.get(key), now[key]) == (before, after)
    assert {one for one in stored.keys() & now.keys() if stored[one] != now[one]} <= {key}


@pytest.mark.parametrize(
    "change",
    [
        "name=other",
        "output=elsewhere",
        "checkpoint.every_steps=3",
        "checkpoint.keep_last=1",
        "loggers=[wandb]",
        "memory.store=numpy",
        "training.strategy=ddp",
        "sandbox.workers=3",
    ],
)
def test_what_no_step_depends_on_is_not_among_them(tmp_path: Path, change: str) -> None:
    assert finetune_request(loaded(tmp_path)).settings == finetune_request(loaded(tmp_path, change)).settings


# Values of the environment among them


def settings(folder: Path, *changes: str) -> dict[str, str]:
    return dict(finetune_request(loaded(folder, *changes)).settings)


def test_a_changed_variable_is_seen_at_its_key_and_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = "grpo.scale=${CESELLO_LOSS}"
    monkeypatch.setenv("CESELLO_LOSS", "group")
    stored = settings(tmp_path, change)
    assert settings(tmp_path, change) == stored
    monkeypatch.setenv("CESELLO_LOSS", "none")
    now = settings(tmp_path, change)
    assert {key for key in stored if stored[key] != now[key]} == {"grpo.scale"}
    assert stored["grpo.scale"].startswith('"${CESELLO_LOSS} (value ')
    assert "none" not in now["grpo.scale"]
    with pytest.raises(UsageError, match=r"C050") as refused:
        check_same(named(stored), named(now), inexact=False)
    assert refused.value.where == "grpo.scale"


@pytest.mark.parametrize(
    ("change", "first", "second"),
    [
        ("algorithm_arguments={api_key: '${CESELLO_IT}'}", "one", "two"),
        ("algorithm_arguments={x: 'a ${CESELLO_IT_TOKEN}'}", "one", "two"),
        ("algorithm_arguments={url: 'https://me:${CESELLO_IT}@host/v1'}", "one", "two"),
        ("algorithm_arguments={url: '${CESELLO_IT}'}", "https://me:one@host", "https://me:two@host"),
        ("algorithm_arguments={headers: {Authorization: '${CESELLO_IT}'}}", "one", "two"),
    ],
)
def test_a_key_that_was_exchanged_changes_nothing(
    change: str, first: str, second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for value in (first, second):
        monkeypatch.setenv("CESELLO_IT", value)
        monkeypatch.setenv("CESELLO_IT_TOKEN", value)
        found.append(settings(tmp_path, change))
    assert found[0] == found[1]
    assert "one" not in found[0][next(key for key in found[0] if key.startswith("algorithm_arguments"))]


def test_what_a_recipe_takes_a_key_out_of_is_a_secret_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CESELLO_FIRST_ONE", "first of all")
    monkeypatch.setenv("CESELLO_SECOND_ONE", "second to none")
    monkeypatch.setenv("CESELLO_THIRD_ONE", "third party")
    loaded(
        tmp_path,
        "algorithm_arguments={password: '${CESELLO_FIRST_ONE}', language: '${CESELLO_THIRD_ONE}'}",
        "rewards=[{kind: judge, url: 'https://h', model: m, rubric: r, api_key_env: CESELLO_SECOND_ONE}]",
    )
    text = "first of all, second to none, third party"
    assert redact()(text) == "[secret], [secret], third party"


# Code of somebody's own


def prints(folder: Path, *changes: str) -> dict[str, str]:
    settings = finetune_request(loaded(folder, *changes)).settings
    return {key: value for key, value in settings.items() if key.startswith("own code ")}


OWN = ("algorithm=mine:Scaled", 'training.callbacks=[{code: "inner.watching:Watching"}]')


def test_the_files_of_own_code_stand_for_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("one")
    (tmp_path / "inner" / "watching").mkdir(parents=True)
    (tmp_path / "inner" / "watching" / "__init__.py").write_text("two")
    before = prints(tmp_path, *OWN)
    assert before == {
        "own code mine:Scaled": sha256(b"one").hexdigest(),
        "own code inner.watching:Watching": sha256(b"two").hexdigest(),
    }
    (tmp_path / "mine.py").write_text("another")
    after = prints(tmp_path, *OWN)
    assert {key for key in before if before[key] != after[key]} == {"own code mine:Scaled"}
    (tmp_path / "mine.py").unlink()
    assert prints(tmp_path, *OWN)["own code mine:Scaled"] == "nothing"


def test_own_rewards_are_own_code_too(tmp_path: Path) -> None:
    (tmp_path / "judging.py").write_text("one")
    assert prints(tmp_path, "rewards=[{kind: function, function: 'judging:judge'}]") == {
        "own code judging:judge": sha256(b"one").hexdigest()
    }


def test_a_recipe_without_own_code_has_no_such_prints(tmp_path: Path) -> None:
    assert prints(tmp_path) == {}


def test_a_packages_version_stands_for_what_it_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "installed" / "offered-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text("[cesello.algorithms]\nscaled = offered_algorithms:Scaled\n")
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    importlib.invalidate_caches()
    assert prints(tmp_path, "algorithm=scaled") == {"own code scaled": "offered 1.5"}


@pytest.mark.parametrize(("size", "count"), [(None, 1), ("1", 1), ("4", 4)])
def test_a_request_tells_how_many_processes_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str | None, count: int
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if size is not None:
        monkeypatch.setenv("WORLD_SIZE", size)
    assert finetune_request(loaded(tmp_path)).processes == count


def test_only_a_command_line_does_without_a_sandbox(tmp_path: Path) -> None:
    recipe = loaded(tmp_path, "sandbox.workers=2")
    assert recipe_container(recipe).config.sandbox.tier() == "auto"
    container = recipe_container(recipe, unsafe=True)
    assert (container.config.sandbox.tier(), container.config.sandbox.workers()) == ("unsafe", 2)
