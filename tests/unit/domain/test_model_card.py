from __future__ import annotations

from dataclasses import replace

from cesello.domain.mixture_manifest import MixtureManifest, SourceManifest
from cesello.domain.model_card import model_card
from cesello.domain.run import Evaluation, GradedSet, RunManifest, RunStatus, SourceLoss
from tests.fakes.model import FACTS

SOURCE = SourceManifest("chat|it", "file a.jsonl", "ff", 9, 7, 2, {}, 0, 0, 70, 30, 0.25, 0.5)
BEFORE = Evaluation({"chat": SourceLoss(2, 10, 2.0)}, {"calls": GradedSet("fc", 4, {"valid": 0.0})})
AFTER = Evaluation({"chat": SourceLoss(2, 10, 1.5)}, {"calls": GradedSet("fc", 4, {"valid": 3.0})})
MANIFEST = RunManifest(
    id="1-demo",
    name="demo",
    algorithm="sft",
    status=RunStatus.RUNNING,
    started="now",
    recipe_sha256="abc",
    seed=7,
    versions={"torch": "2", "peft": "1"},
    machine="",
    steps=3,
    planned_steps=5,
    model=FACTS,
    data=MixtureManifest("d1", 7, "rows", 9, (SOURCE,)),
    before=BEFORE,
    after=AFTER,
)


def test_a_card_has_the_metadata_that_hubs_read() -> None:
    head = model_card(MANIFEST).split("---")[1].splitlines()
    assert "base_model: fake" in head
    assert "library_name: peft" in head


def test_a_card_tells_data_figures_and_provenance() -> None:
    card = model_card(MANIFEST)
    assert all(fact in card for fact in ("sft", "3 of 5 steps", "seed 7", "`fake`"))
    assert "| chat\\|it | file a.jsonl | 7 | 2 | 25.0% | 50.0% |" in card
    assert "| chat: loss | 2.0000 | 1.5000 |" in card
    assert "| calls: valid of 4 | 0 | 3 |" in card
    assert "Recipe sha256 `abc`" in card
    assert card.index("| peft | 1 |") < card.index("| torch | 2 |")
    assert "Machine: not named" in card


def test_every_row_of_a_table_has_as_many_cells() -> None:
    tables = [block for block in model_card(MANIFEST).split("\n\n") if block.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1


def test_a_run_that_ended_early_has_a_card_too() -> None:
    card = model_card(replace(MANIFEST, after=None))
    assert "| chat: loss | 2.0000 | - |" in card
    bare = model_card(replace(MANIFEST, after=None, before=None, model=None, data=None))
    assert "None were taken." in bare
    assert "Not recorded." in bare
    assert "base_model: unknown" in bare
