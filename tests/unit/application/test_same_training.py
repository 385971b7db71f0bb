"""Whether a run can be gone on with exactly, and how it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.application.same_training import check_same, identity_of_training
from cesello.domain.errors import CeselloError
from cesello.domain.mixture_manifest import MixtureManifest
from tests.fakes.model import FACTS, FakePolicy

STORED = {
    "recipe training.learning_rate": "0.001",
    "recipe lora.r": "4",
    "library torch": "2.0",
    "own code mine:Scaled": "s1",
    "data": "d1",
    "base model": "org/model",
    "base weights": "w1",
    "tokenizer": "t1",
    "chat template": "c1",
    "trained weights": "q_proj",
    "number format": "float32",
    "device": "cpu",
    "processes": "1",
}
CASES = {
    "recipe training.learning_rate": ("C050", 2, "training.learning_rate"),
    "recipe lora.r": ("C050", 2, "lora.r"),
    "library torch": ("C051", 2, "torch"),
    "own code mine:Scaled": ("C059", 2, "own code mine:Scaled"),
    "data": ("D050", 3, "data"),
    "base model": ("M050", 4, "base model"),
    "base weights": ("M051", 4, "base weights"),
    "tokenizer": ("M052", 4, "tokenizer"),
    "chat template": ("M053", 4, "chat template"),
    "trained weights": ("M054", 4, "trained weights"),
    "number format": ("M055", 4, "number format"),
    "device": ("M056", 4, "device"),
}
INEXACT = CASES.keys() - {"trained weights"}
"""What a person may do without."""


def test_the_same_training_differs_in_nothing() -> None:
    assert check_same(STORED, dict(STORED), inexact=False) == ()


def test_every_kind_of_difference_is_in_the_cases() -> None:
    assert CASES.keys() == STORED.keys() - {"processes"}
    assert len({(code, where) for code, _, where in CASES.values()}) == len(CASES)


@pytest.mark.parametrize("name", CASES)
def test_one_difference_is_refused_with_all_that_a_person_needs(name: str) -> None:
    code, status, where = CASES[name]
    with pytest.raises(CeselloError) as caught:
        check_same(STORED, STORED | {name: "other"}, inexact=False)
    error = caught.value
    assert (error.code, error.exit_status, error.where) == (code, status, where)
    assert (error.got, error.expected) == ("other", STORED[name])
    assert error.what.startswith("the run cannot be gone on with exactly: ")
    assert "more differ" not in error.what
    allowed = ", or give --allow-inexact, which the manifest tells"
    assert str(error.fix).endswith(allowed) is (name in INEXACT)
    assert ("--allow-inexact" in str(error.fix)) is (name in INEXACT)


@pytest.mark.parametrize("name", CASES)
def test_what_is_missing_or_new_is_a_difference_too(name: str) -> None:
    fewer = {key: value for key, value in STORED.items() if key != name}
    for stored, now, got, expected in (
        (STORED, fewer, "nothing", STORED[name]),
        (fewer, STORED, STORED[name], "nothing"),
    ):
        with pytest.raises(CeselloError) as caught:
            check_same(stored, now, inexact=False)
        assert (caught.value.code, caught.value.got, caught.value.expected) == (CASES[name][0], got, expected)


@pytest.mark.parametrize("name", sorted(INEXACT))
def test_inexact_tells_the_difference_instead(name: str) -> None:
    told = check_same(STORED, STORED | {name: "other"}, inexact=True)
    assert told == (f"{name}: {STORED[name]} -> other",)


def test_weights_of_another_shape_are_refused_whatever_a_person_says() -> None:
    now = STORED | {"trained weights": "q_proj, v_proj", "recipe lora.r": "8", "processes": "2"}
    with pytest.raises(CeselloError) as caught:
        check_same(STORED, now, inexact=True)
    assert (caught.value.code, caught.value.exit_status, caught.value.where) == ("M054", 4, "trained weights")
    assert (caught.value.got, caught.value.fix) == ("q_proj, v_proj", "set lora and model back")
    with pytest.raises(CeselloError) as caught:
        check_same(STORED, now, inexact=False)
    assert (caught.value.code, caught.value.fix) == ("C050", "set it back"), "no flag would help"


@pytest.mark.parametrize("inexact", [False, True])
def test_another_number_of_processes_goes_on_and_is_told(inexact: bool) -> None:
    assert check_same(STORED, STORED | {"processes": "2"}, inexact=inexact) == ("processes: 1 -> 2",)


def test_of_several_the_cause_is_told_and_the_others_are_counted() -> None:
    """Another chat template or tokenizer makes other rows of the same sources."""
    now = STORED | {"data": "d2", "tokenizer": "t2", "chat template": "c2"}
    with pytest.raises(CeselloError) as caught:
        check_same(STORED, now, inexact=False)
    assert caught.value.code == "M052"
    assert caught.value.what.endswith("(2 more differ)")
    with pytest.raises(CeselloError) as caught:
        check_same(STORED, STORED | {"recipe lora.r": "8", "trained weights": "r8"}, inexact=False)
    assert caught.value.code == "C050"
    with pytest.raises(CeselloError) as caught:
        check_same(STORED, STORED | {"number format": "bfloat16", "base weights": "w2"}, inexact=False)
    assert caught.value.code == "M055"


def test_passages_of_another_cesello_are_told_from_another_memory() -> None:
    stored = STORED | {"memory retrieve": "2 files; 0123456789abcdef"}
    with pytest.raises(CeselloError) as caught:
        check_same(stored, stored | {"memory retrieve": "2 files; form 2; fedcba9876543210"}, inexact=False)
    assert caught.value.code == "D075"
    assert "written otherwise than by the cesello that began the run" in caught.value.what
    assert str(caught.value.fix).startswith("go on with that version of cesello, or give --allow-inexact")
    with pytest.raises(CeselloError, match="D075") as caught:
        check_same(stored, stored | {"memory retrieve": "3 files; form 2; fedcba9876543210"}, inexact=False)
    assert "the memory, or how it is asked, has changed" in caught.value.what


def test_what_decides_the_steps_has_a_name_that_is_known() -> None:
    mixture = MixtureManifest("digest", 0, "rows", 24, ())
    policy = FakePolicy(replace(FACTS, dtype="bfloat16"))
    settings = {"training.learning_rate": "0.001", "own code mine:Scaled": "s1"}
    found = identity_of_training(settings, {"torch": "2.0"}, policy, mixture, 2)
    assert found == {
        "recipe training.learning_rate": "0.001",
        "own code mine:Scaled": "s1",
        "library torch": "2.0",
        "base model": "fake",
        "base weights": "w1",
        "tokenizer": "words",
        "chat template": "fake",
        "trained weights": "q_proj",
        "data": "digest",
        "device": "cpu",
        "number format": "bfloat16",
        "processes": "2",
    }
    assert all(isinstance(value, str) for value in found.values())
