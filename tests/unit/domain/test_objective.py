from __future__ import annotations

from itertools import product

import pytest

from cesello.domain.objective import Aggregation, Objective, Ratio, Scale
from cesello.domain.objective_text import WIDTH, Setting, explanation, formula, sentences

EVERYTHING = Objective(
    Aggregation.DR_GRPO,
    Ratio.SEQUENCE,
    clip_low=0.0003,
    clip_high=0.0004,
    dual_clip=3.0,
    scale=Scale.BATCH,
    beta=0.04,
    weighs_divergence=True,
    masks_overlong=False,
    skips_dead=False,
    updates=4,
    max_completion_tokens=300,
)
ELSEWHERE = Setting(completions=16, temperature=0.7, top_p=0.95, other_engine=True, continues=True)


def told(objective: Objective, setting: Setting | None = None) -> str:
    return " ".join(sentences(objective, setting or Setting()))


def test_the_defaults_are_those_for_lora_on_one_gpu() -> None:
    usual = Objective()
    assert (usual.aggregation, usual.ratio, usual.scale) == ("dapo", "token", "group")
    assert (usual.clip_low, usual.clip_high, usual.dual_clip, usual.epsilon) == (0.2, 0.28, None, 1e-4)
    assert (usual.masks_overlong, usual.skips_dead) == (True, True)
    assert (usual.needs_reference, usual.needs_old) == (False, False)
    assert Objective(beta=0.04).needs_reference
    assert Objective(updates=2).needs_old


def test_an_overlong_completion_is_trained_on_where_it_is_not_masked() -> None:
    assert Objective().trains_on(finished=True)
    assert not Objective().trains_on(finished=False)
    assert Objective(masks_overlong=False).trains_on(finished=False)


def test_the_formula_of_the_defaults() -> None:
    assert formula(Objective())[:5] == [
        "Aᵢ  = (Rᵢ − mean(R of its prompt)) / (std(R of its prompt) + 0.0001)",
        "ρᵢₜ = π(oᵢₜ) / π_old(oᵢₜ)",
        "gᵢₜ = min(ρᵢₜ Aᵢ, clip(ρᵢₜ, 0.8, 1.28) Aᵢ)",
        "ℓᵢₜ = −gᵢₜ",
        "L   = Σᵢₜ mᵢₜ ℓᵢₜ / Σᵢₜ mᵢₜ,   i and t over the whole optimizer step",
    ]


def test_the_formula_has_everything_that_is_switched_on() -> None:
    assert formula(EVERYTHING, ELSEWHERE)[:7] == [
        "Aᵢ  = (Rᵢ − mean(R of its prompt)) / (std(R of the batch) + 0.0001)",
        "ρᵢₜ = exp(Σₜ mᵢₜ (ln π(oᵢₜ) − ln π_old(oᵢₜ)) / Σₜ mᵢₜ),   the same for all t",
        "gᵢₜ = min(ρᵢₜ Aᵢ, clip(ρᵢₜ, 0.9997, 1.0004) Aᵢ),   and where Aᵢ < 0 at least 3 Aᵢ",
        "wᵢₜ = min(π_old(oᵢₜ) / π_engine(oᵢₜ), 2),   a constant",
        "kᵢₜ = rᵢₜ − ln rᵢₜ − 1,   rᵢₜ = π_ref(oᵢₜ) / π(oᵢₜ)",
        "ℓᵢₜ = −wᵢₜ gᵢₜ + 0.04 ρᵢₜ kᵢₜ",
        "L   = Σᵢₜ mᵢₜ ℓᵢₜ / (B · 300),   over the B completions of the optimizer step",
    ]
    assert "softmax(logits / 0.7)" in formula(EVERYTHING, ELSEWHERE)[-1]
    assert formula(Objective(scale=Scale.NONE))[0] == "Aᵢ  = Rᵢ − mean(R of its prompt)"


@pytest.mark.parametrize(
    ("switched", "setting", "said", "unsaid"),
    [
        ({"updates": 3}, {}, "serves 3 optimizer steps", "exactly 1"),
        ({"updates": 1}, {}, "exactly 1", "are kept"),
        ({"beta": 0.04}, {}, "pays 0.04 times", "Nothing holds"),
        ({"beta": 0.04}, {}, "with its LoRA weights off", "frozen copy"),
        ({"beta": 0.04, "weighs_divergence": True}, {}, "times the ratio, by the estimator k3", "Nothing"),
        ({"beta": 0.04}, {}, "from the reference, by the estimator k3", "times the ratio"),
        ({"beta": 0.04}, {"continues": True}, "frozen copy", "LoRA weights off"),
        ({"beta": 0.0}, {}, "Nothing holds", "k3"),
        ({"masks_overlong": True}, {}, "after 256 tokens is not trained on", "as far as it came"),
        ({"masks_overlong": False}, {}, "as far as it came", "after 256 tokens is not trained on"),
        ({"skips_dead": True}, {}, "same reward is left out", "counts in what"),
        ({"skips_dead": False}, {}, "counts in what", "same reward is left out"),
        ({"dual_clip": 3.0}, {}, "Beyond 3 ", "Another engine"),
        ({"aggregation": Aggregation.DAPO}, {}, "(dapo)", "one of the B"),
        ({"aggregation": Aggregation.GRPO}, {}, "one of the B", "(dapo)"),
        ({"ratio": Ratio.SEQUENCE}, {}, "in GSPO it is there once", "of a token with"),
        ({}, {"other_engine": True}, "at most 2", "not corrected"),
        ({"importance_cap": None}, {"other_engine": True}, "not corrected", "at most"),
        ({}, {"other_engine": False}, "8 completions of each prompt", "Another engine"),
        ({}, {"top_p": 0.9}, "likeliest tokens that make up 0.9", "Another engine"),
    ],
)
def test_sentences_say_what_is_switched_on_and_nothing_else(
    switched: dict[str, float], setting: dict[str, float], said: str, unsaid: str
) -> None:
    text = told(Objective(**switched), Setting(**setting))  # type: ignore[arg-type]
    assert said in text
    assert unsaid not in text


@pytest.mark.parametrize("objective", [Objective(), EVERYTHING])
def test_the_explanation_fits_a_terminal(objective: Objective) -> None:
    for setting in (Setting(), ELSEWHERE):
        lines = explanation(objective, setting).splitlines()
        assert max(map(len, lines)) <= WIDTH
        assert lines == [line.rstrip() for line in lines]


def test_every_objective_has_a_text_of_its_own() -> None:
    made = [
        "\n".join(formula(Objective(aggregation, ratio, scale=scale)))
        for aggregation, ratio, scale in product(Aggregation, Ratio, Scale)
    ]
    assert len(set(made)) == len(made) == 24


def test_differences_name_only_what_differs() -> None:
    table = explanation(Objective()).split("others' defaults\n\n")[1]
    rows = {line[:24].strip(): line[24:].split("  ") for line in table.splitlines()[1:]}
    assert rows.keys().isdisjoint({"ratio of", "steps a rollout", "other engine", "divergence by"})
    assert [cell.strip() for cell in rows["beta (reference)"] if cell.strip()] == ["0", "0", "0.04"]
    assert [cell.strip() for cell in rows["clip"] if cell.strip()] == [
        "0.8 … 1.28",
        "0.8 … 1.2",
        "ε, no value given",
    ]


def test_where_there_is_a_reference_its_estimator_is_compared_too() -> None:
    row = next(line for line in explanation(Objective(beta=0.04)).splitlines() if "divergence by" in line)
    assert [cell.strip() for cell in row.split("  ") if cell.strip()][1:] == ["k3", "ratio times k3", "k3"]


def test_where_another_engine_draws_the_correction_is_compared_too() -> None:
    *_, last = explanation(Objective(), ELSEWHERE).splitlines()
    assert last.split("  ")[1] == "other engine"
    assert "token, cut at 2 " in last
    assert "sequence, over 3: out" in last
