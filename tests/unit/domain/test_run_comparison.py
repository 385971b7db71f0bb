"""What differs between two runs, and whether they were measured on the same rows."""

from __future__ import annotations

from typing import Any

import pytest

from cesello.domain.run_comparison import HeldOutFigure, held_out_figures
from cesello.domain.run_differences import data_differences, recipe_differences, version_differences
from cesello.domain.statistics import newcombe_unpaired
from tests.run_folders import evaluation, manifest

ONE = manifest("a-demo", after=evaluation(1.0, 2.0, rows=8))
TWO = manifest("b-demo", after=evaluation(0.5, 6.0, rows=8))


def identity(**changes: str | None) -> dict[str, Any]:
    """Of one run changed; None takes a key away."""
    values = ONE["identity"] | {key.replace("__", "."): value for key, value in changes.items()}
    return {"identity": {key: value for key, value in values.items() if value is not None}}


def figures(other: dict[str, Any], answers: Any = ((), ())) -> dict[str, HeldOutFigure]:
    return {one.name: one for one in held_out_figures([ONE, other], answers)}


def test_keys_that_differ_are_told_with_both_values() -> None:
    other = (
        ONE
        | identity(**{"recipe seed": "8", "recipe lora.r": "16"})
        | {"versions": {"torch": "2.1", "peft": "1"}}
    )
    found = recipe_differences([ONE, other])
    assert [(one.key, one.values) for one in found] == [("seed", ("7", "8")), ("lora.r", (None, "16"))]
    assert [(one.key, one.values) for one in version_differences([ONE, other])] == [
        ("torch", ("2.0", "2.1")),
        ("peft", (None, "1")),
    ]
    assert not recipe_differences([ONE, ONE])
    assert not recipe_differences([ONE, ONE | identity(**{"recipe x": "null", "recipe y": "{}"})])
    assert not data_differences([ONE, ONE])


def test_what_is_no_recipe_key_is_told_by_its_name() -> None:
    other = ONE | identity(tokenizer="u", device="cuda")
    assert [one.key for one in recipe_differences([ONE, other])] == ["tokenizer", "device"]


def test_data_differ_by_digest_and_source() -> None:
    other = ONE | {
        "data": {"digest": "other", "sources": [{"name": "chat", "fingerprint": "g", "held_out": 8}]}
    }
    assert [(one.key, one.values) for one in data_differences([ONE, other])] == [
        ("digest", ("d1gest", "other")),
        ("chat: fingerprint", ("f", "g")),
    ]


def test_the_same_rows_are_compared_with_an_interval_of_their_own() -> None:
    found = figures(TWO)
    call = found["exact_call"]
    assert (call.before, call.after, call.rows, call.reasons) == ((0.0, 0.0), (0.25, 0.75), (8, 8), ("", ""))
    assert call.gains[0] is None
    gain = call.gains[1]
    assert gain is not None
    assert (gain.mean, gain.paired, gain.rows) == (0.5, False, 8)
    assert gain.low < 0.5 < gain.high
    score = found["score"].gains[1]
    assert score is not None
    assert (score.mean, score.low, score.high, score.paired) == (0.5, gain.low, gain.high, False)
    assert found["loss"].gains == (None, None)
    assert found["loss"].after == (1.0, 0.5)


def answers(*right: float) -> list[dict[str, Any]]:
    return [
        {"source": "chat", "prompt": f"p{n}", "parts": {"exact_call": one}} for n, one in enumerate(right)
    ]


def test_answers_to_all_rows_are_compared_in_pairs() -> None:
    early, late = [1] * 20 + [0] * 20, [1] * 30 + [0] * 10
    one, two = (
        manifest(name, after=evaluation(1.0, sum(its), rows=40))
        for name, its in zip("ab", (early, late), strict=True)
    )
    [call] = [
        its
        for its in held_out_figures([one, two], (answers(*early), answers(*late)))
        if its.name == "exact_call"
    ]
    [unpaired] = [its for its in held_out_figures([one, two], ((), ())) if its.name == "exact_call"]
    gain, wide = call.gains[1], unpaired.gains[1]
    assert gain is not None
    assert wide is not None
    assert (gain.mean, gain.paired, gain.rows) == (0.25, True, 40)
    assert gain.high - gain.low < 0.9 * (wide.high - wide.low)


def test_scores_of_all_rows_are_compared_in_pairs_however_few_answers_were_kept() -> None:
    ends = [0.0] * 6 + [1.0] * 2, [1.0] * 6 + [0.0] * 2
    scores = [[one | {"score": score} for one, score in zip(answers(*its), its, strict=True)] for its in ends]
    read = answers(0), answers(1)
    found = {one.name: one.gains[1] for one in held_out_figures([ONE, TWO], read, (), scores)}
    for name in ("exact_call", "score"):
        gain = found[name]
        assert gain is not None
        assert (gain.mean, gain.paired, gain.rows) == (0.5, True, 8)
    older = {one.name: one.gains[1] for one in held_out_figures([ONE, TWO], read, (), [scores[0], ()])}[
        "score"
    ]
    assert older is not None
    assert not older.paired


def test_how_many_rows_the_loss_is_taken_on_is_of_the_loss_alone() -> None:
    found = figures(TWO | identity(**{"recipe evaluation.rows": "8"}))
    assert found["exact_call"].reasons == ("", "")
    assert found["loss"].reasons == ("", "other held-out rows: evaluation.rows differs")


def test_scores_that_go_below_0_have_wider_intervals() -> None:
    plain = figures(TWO)["exact_call"].gains[1]
    below = {one.name: one for one in held_out_figures([ONE, TWO], ((), ()), [0.5, -0.1])}[
        "exact_call"
    ].gains[1]
    assert plain is not None
    assert below is not None
    assert below.mean == plain.mean == 0.5
    assert below.high - below.low > 1.3 * (plain.high - plain.low)
    # The interval is that of 5 and 7 right of 8, where right is 1 and wrong is -1.
    its = newcombe_unpaired(7, 8, 5, 8)
    assert (below.low, below.high) == (2 * its.low, 2 * its.high)


def test_a_score_below_0_widens_the_intervals_of_all_figures_paired_or_not() -> None:
    """As the reward ``length`` has it: its part is 0 to 1, the score that it comes to -1 to 1."""
    ends = [[1.0] * 8, [1.0] * 8]
    plain = [[one | {"score": 1.0} for one in answers(*its)] for its in ends]
    other = {"source": "other", "prompt": "p", "score": -0.2, "parts": {"length": 0.4}}

    def call(scores: list[list[dict[str, Any]]]) -> tuple[float, float, bool]:
        same = manifest("b-demo", after=evaluation(1.0, 8.0, rows=8))
        [found] = [
            one for one in held_out_figures([same, same], ((), ()), (), scores) if one.name == "exact_call"
        ]
        gain = found.gains[1]
        assert gain is not None
        return gain.low, gain.high, gain.paired

    low, high, paired = call(plain)
    assert paired
    assert call([plain[0], [*plain[1], other]]) == (2 * low, 2 * high, True)
    low, high, paired = call([plain[0], []])
    assert not paired
    assert call([plain[0], [other]]) == (2 * low, 2 * high, False)


def test_a_score_that_is_the_mean_of_its_parts_is_paired() -> None:
    def graded(name: str, right: list[int]) -> dict[str, Any]:
        after = evaluation(1.0, sum(right), rows=40)
        after["graded"]["chat"]["parts"]["valid"] = 40.0
        after["graded"]["chat"]["score"] = (sum(right) + 40) / 80
        return manifest(name, after=after)

    early, late = [1] * 20 + [0] * 20, [1] * 30 + [0] * 10
    said = [
        [one | {"parts": one["parts"] | {"valid": 1.0}} for one in answers(*its)] for its in (early, late)
    ]
    both = [graded("a", early), graded("b", late)]
    paired, unpaired = (
        {one.name: one for one in held_out_figures(both, kept)}["score"].gains[1] for kept in (said, ((), ()))
    )
    assert paired is not None
    assert unpaired is not None
    assert (paired.mean, paired.paired, unpaired.mean, unpaired.paired) == (0.125, True, 0.125, False)
    assert paired.low > 0 > unpaired.low
    both[1]["after"]["graded"]["chat"]["score"] = 0.9  # of other weights: the parts do not tell it
    [other] = [one.gains[1] for one in held_out_figures(both, said) if one.name == "score"]
    assert other is not None
    assert not other.paired


def test_answers_to_some_rows_are_not_taken_for_all() -> None:
    gain = figures(TWO, (answers(1, 0), answers(1, 1)))["exact_call"].gains[1]
    assert gain is not None
    assert not gain.paired


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (identity(**{"recipe seed": "8"}), "other held-out rows: seed differs"),
        (identity(**{"recipe data.sources[0].holdout": "9"}), "other held-out rows: holdout differs"),
        (
            {"data": {"sources": [{"name": "chat", "fingerprint": "g", "held_out": 8}]}},
            "other held-out rows: its fingerprint differs",
        ),
        (identity(**{"recipe data.system_prompt": '"x"'}), "asked otherwise: data.system_prompt differs"),
        (
            {"before": evaluation(rows=4), "after": evaluation(rows=4)},
            "other held-out rows: there are not as many",
        ),
        ({"before": None, "after": None}, "not measured in both"),
    ],
)
def test_runs_that_were_measured_otherwise_are_not_compared(changes: dict[str, Any], reason: str) -> None:
    call = figures(TWO | changes)["exact_call"]
    assert call.reasons == ("", reason)
    assert call.gains == (None, None)


def test_a_source_at_another_place_of_the_recipe_is_the_same() -> None:
    moved = identity(
        **{
            "recipe data.sources[0].name": '"new"',
            "recipe data.sources[1].name": '"chat"',
            "recipe data.sources[1].holdout": "8",
            "recipe data.sources[1].weight": "3",
        }
    )
    assert figures(TWO | moved)["exact_call"].reasons == ("", "")


def test_losses_need_the_same_tokenizer_and_grades_the_same_reward() -> None:
    other = figures(TWO | identity(tokenizer="u"))
    assert other["loss"].reasons[1] == "a loss is that of a token, and the tokenizers differ"
    assert other["exact_call"].reasons[1] == ""
    after = evaluation(1.0, 6.0)
    after["graded"]["chat"]["reward"] = "blend"
    assert figures(TWO | {"after": after})["exact_call"].reasons[1] == "graded by other rewards"


def test_searches_are_compared_by_their_test() -> None:
    searched = manifest("s", before=None, after=None, search={"before": 0.5, "after": 0.75, "test_tasks": 20})
    kept = searched | {"search": {"before": 0.5, "after": None, "test_tasks": 20}}
    [one] = held_out_figures([searched, kept], [(), ()])
    assert (one.before, one.after, one.rows, one.reasons) == ((0.5, 0.5), (0.75, None), (20, 20), ("", ""))
    other = kept | {"identity": {"data": "x"}}
    assert held_out_figures([searched, other], [(), ()])[0].reasons == ("", "other tasks")
    assert held_out_figures([searched, ONE], [(), ()])[-1].reasons == ("", "not measured in both")


@pytest.mark.parametrize(
    "wrong", [{}, {"before": 7, "after": "x"}, {"identity": [1]}, {"data": {"sources": [3]}}]
)
def test_a_manifest_of_anybody_is_no_failure(wrong: dict[str, Any]) -> None:
    broken: dict[str, Any] = {"id": "x"} | wrong
    recipe_differences([ONE, broken])
    data_differences([ONE, broken])
    assert all(one.gains == (None, None) for one in held_out_figures([ONE, broken], [(), ()]))
