from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.domain.conversation import user
from cesello.domain.errors import ModelError
from cesello.domain.export import (
    ExportedRun,
    ExportManifest,
    Into,
    Parity,
    Probes,
    chosen_base,
    chosen_format,
    compared,
    meaning,
    shortened,
)
from cesello.domain.export_card import export_card
from cesello.domain.export_probes import BUILT_IN
from cesello.domain.tokens import token_row

PARITY = Parity("held-out rows", "f", 2, 9, 0.2, 1e-3, 8, 7, "float32", "cpu")


@pytest.mark.parametrize(
    ("wanted", "quantizer", "chosen"),
    [
        (None, "none", Into.BASE),
        (None, "int8", Into.DEQUANTISED),
        (Into.BASE, "nf4", Into.BASE),
        (Into.DEQUANTISED, "nf4", Into.DEQUANTISED),
    ],
)
def test_the_base_is_the_one_that_was_seen_unless_another_is_named(
    wanted: Into | None, quantizer: str, chosen: Into
) -> None:
    assert chosen_base(wanted, quantizer) is chosen


def test_what_was_not_quantised_cannot_be_made_whole() -> None:
    with pytest.raises(ModelError) as caught:
        chosen_base(Into.DEQUANTISED, "none")
    assert (caught.value.code, caught.value.expected) == ("M031", "base")


@pytest.mark.parametrize(
    ("wanted", "trained", "chosen"),
    [
        ("auto", "float32", "bfloat16"),
        ("auto", "float16", "float16"),
        ("auto", "bfloat16", "bfloat16"),
        ("auto", "", "bfloat16"),
        ("float32", "bfloat16", "float32"),
    ],
)
def test_an_export_has_16_bits_unless_said_otherwise(wanted: str, trained: str, chosen: str) -> None:
    assert chosen_format(wanted, trained) == chosen


def test_every_way_to_merge_has_a_meaning_of_its_own() -> None:
    ways = [(Into.BASE, "none"), (Into.BASE, "nf4"), (Into.DEQUANTISED, "nf4"), (Into.DEQUANTISED, "int8")]
    assert len({meaning(*way) for way in ways}) == 4


def test_a_row_ends_with_its_last_label_that_counts() -> None:
    row = token_row([1, 2, 3, 4, 5, 6], [False, False, True, True, False, True])
    assert shortened(row, 3) == row
    short = shortened(row, 2)
    assert (short.ids.tolist(), list(short.trained)) == ([1, 2, 3, 4], [0, 0, 1, 1])
    assert shortened(row, 1).ids.tolist() == [1, 2, 3]


def test_probes_are_known_by_their_tokens_labels_and_prompts() -> None:
    row, other = token_row([1, 2], [False, True]), token_row([1, 2], [False, False])
    probes = Probes("x", (row,), (user("hello"),))
    assert replace(probes, origin="y").fingerprint == probes.fingerprint
    changed = [
        replace(probes, rows=(other,)),
        replace(probes, prompts=(user("hi"),)),
        replace(probes, rows=()),
    ]
    assert len({probes.fingerprint, *(one.fingerprint for one in changed)}) == 4


def test_the_same_figures_agree() -> None:
    assert all(figure.agrees for figure in compared(PARITY, PARITY))
    assert [figure.recorded for figure in compared(PARITY, PARITY)] == ["0.2", "0.001", "7 of 8"]


@pytest.mark.parametrize(
    ("again", "agree"),
    [
        ({"max_logit_difference": 0.39}, [True, True, True]),
        ({"max_logit_difference": 0.41}, [False, True, True]),
        ({"max_logit_difference": 0.09}, [False, True, True]),
        ({"mean_kl": 2.1e-3}, [True, True, True]),
        ({"mean_kl": 2.3e-3}, [True, False, True]),
        ({"same_answers": 6}, [True, True, True]),
        ({"same_answers": 5}, [True, True, False]),
        ({"max_logit_difference": float("nan")}, [False, True, True]),
    ],
)
def test_figures_agree_within_the_tolerance(again: dict[str, float], agree: list[bool]) -> None:
    changed = replace(PARITY, **again)  # type: ignore[arg-type]
    assert [figure.agrees for figure in compared(PARITY, changed)] == agree


def test_of_nearly_nothing_a_little_more_is_the_same() -> None:
    exact = replace(PARITY, max_logit_difference=1e-6, mean_kl=0.0)
    again = replace(exact, max_logit_difference=9e-4, mean_kl=9e-5)
    assert all(figure.agrees for figure in compared(exact, again))


def test_the_built_in_rows_ask_and_answer() -> None:
    assert len(BUILT_IN) == 8
    assert all(talk.prompt().messages and talk.answer() for talk in BUILT_IN)


def test_a_card_of_a_run_that_recorded_nothing_is_still_a_card() -> None:
    run = ExportedRun("1-demo", "demo", "none", "", "")
    manifest = ExportManifest(run, "org/base", Into.BASE, "A meaning.", "float16", "now", 16, PARITY)
    card = export_card(manifest, {})
    assert card.startswith("---\nbase_model: org/base\nbase_model_relation: finetune\n")
    assert "as float16. A meaning." in card
    assert "at 9 label positions of 2 held-out rows" in card
    assert "| greedy answers that are the same | 7 of 8 |" in card
    assert "Not recorded." in card
    assert "None were taken." in card


def test_a_card_tells_the_figures_of_the_training() -> None:
    run = ExportedRun("1-demo", "demo", "none", "", "")
    manifest = ExportManifest(run, "org/base", Into.BASE, "A meaning.", "float16", "now", 16, PARITY)
    before = {"losses": {"a": {"loss": 2.0}}, "graded": {"a": {"rows": 4, "parts": {"exact": 1}}}}
    after = {"losses": {"a": {"loss": 1.5}}, "graded": {"a": {"rows": 4, "parts": {"exact": 3}}}}
    card = export_card(manifest, {"before": before, "after": after})
    assert "| a: loss | 2.0000 | 1.5000 |" in card
    assert "| a: exact of 4 | 1 | 3 |" in card
    assert "| a: exact of 4 | 1 | - |" in export_card(manifest, {"before": before, "after": None})
