"""``cesello explain``: the objective of every recipe that is shipped, and what cannot be explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.command import cesello, cesello_here
from tests.repository import ROOT

REASONING = ROOT / "recipes" / "grpo-reasoning.yaml"
FUNCTIONS = ROOT / "recipes" / "grpo-functions.yaml"


def explained(recipe: Path, folder: Path, *settings: str) -> str:
    changes = [part for setting in settings for part in ("--set", setting)]
    done = cesello_here("explain", recipe, *changes, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return " ".join(done.stdout.split())


def test_the_command_loads_nothing_and_fits_a_terminal(tmp_path: Path) -> None:
    done = cesello("explain", FUNCTIONS, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_goes_on_is_held_near_a_copy(tmp_path: Path) -> None:
    said = explained(FUNCTIONS, tmp_path)
    assert "Each token pays 0.04 times its divergence" in said
    assert "a frozen copy of the LoRA weights it began with" in said
    assert said.endswith("Reward 1 x function_calling blended by mean: docs/rewards.md")


def test_a_training_without_beta_has_no_reference(tmp_path: Path) -> None:
    said = explained(REASONING, tmp_path)
    assert "beta is 0, and no reference is needed" in said
    assert "8 completions of each prompt are drawn at temperature 1." in said
    assert "not finished after 32 tokens" in said


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("grpo.aggregation=dr_grpo", "(dr_grpo): the sum is divided by the completions times 32"),
        ("grpo.aggregation=bnpo", "the loss depends on how a step is cut into passes"),
        ("grpo.ratio=sequence", "as the geometric mean over its tokens"),
        ("grpo.scale=none", "and not divided by a standard deviation"),
        ("grpo.updates=3", "A rollout serves 3 optimizer steps"),
        ("grpo.dual_clip=3", "Beyond 3 what is bad but became likelier"),
        ("grpo.beta=0.1", "The reference is the model with its LoRA weights off"),
        ("grpo.engine=transformers", "weighed by how much likelier it is here than there, at most 2"),
        ("grpo.masks_overlong=false", "is trained on as far as it came"),
        ("grpo.resample=3", "another of its source is asked, up to 3 in a step"),
        ("grpo.curriculum.target=0.4", "Of 4 prompts of a source"),
        ("grpo.tools=['my_tools:search']", "up to 4 answers: where one calls search, the call is run"),
        (
            "memory.procedures=guided",
            "After an answer comes the next step as a turn of the user, up to 4 answers",
        ),
        ("grpo.top_p=0.9", "from the likeliest tokens that make up 0.9"),
    ],
)
def test_an_option_is_told_in_words(setting: str, told: str, tmp_path: Path) -> None:
    assert told not in explained(REASONING, tmp_path)
    assert told in explained(REASONING, tmp_path, setting)


def test_fine_tuning_is_explained_too(tmp_path: Path) -> None:
    said = explained(ROOT / "recipes" / "quickstart.yaml", tmp_path)
    assert "The mean cross-entropy of the N trained tokens of a whole optimizer step" in said


def test_an_algorithm_of_ones_own_cannot_be_explained(tmp_path: Path) -> None:
    done = cesello_here("explain", REASONING, "--set", "algorithm=mine:Own", cwd=tmp_path)
    assert done.returncode == 2
    assert 'error[C096] only the author of "mine:Own" knows what it minimises at algorithm' in done.stderr


def test_a_mistake_in_the_recipe_is_told(tmp_path: Path) -> None:
    done = cesello_here("explain", REASONING, "--set", "grpo.betta=1", cwd=tmp_path)
    assert done.returncode == 2
    assert 'did you mean "beta"' in done.stderr
