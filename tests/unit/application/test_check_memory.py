from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.application.check_memory import CheckMemory, MemoryRequest
from cesello.domain.errors import ModelError
from cesello.domain.footprint import Answers, DeviceMemory, ForwardPass, RowSize
from cesello.domain.model_spec import LoraSpec, ModelSpec
from tests.fakes.model import MIB, FakeDevices, FakeMemoryPredictor

WORK = ForwardPass((RowSize(512, 100), RowSize(1024, 200)))
REQUEST = MemoryRequest(ModelSpec("fake"), "none", LoraSpec(), WORK, Answers(0, 0), accumulate=2)
RESTING = 403
"""MiB of the fake's weights, LoRA weights and optimizer."""


def check(free: int | None) -> CheckMemory:
    """With so many MiB free."""
    return CheckMemory(FakeMemoryPredictor(), FakeDevices(None if free is None else free * MIB))


def test_what_fits_needs_no_remedy() -> None:
    checked = check(RESTING + 1536)(REQUEST)
    assert checked.fits
    assert not checked.remedies
    assert checked.footprint.peak == (RESTING + 1536) * MIB


def test_a_device_can_be_named_that_is_not_here() -> None:
    memory = DeviceMemory("cuda", "a GPU", 100 * MIB, 100 * MIB)
    checked = check(None)(replace(REQUEST, memory=memory))
    assert checked.memory is memory
    assert not checked.fits


CHEAPEST_FIRST = [
    "training.batch_size=1 training.accumulate=4",
    "training.gradient_checkpointing=true",
    "quantizer.name=nf4",
    "data.max_tokens=512",
    "data.max_tokens=256",
]


@pytest.mark.parametrize(
    ("free", "count"),
    # The longest row alone, with its gradients; computed again; in 4 bits; shorter.
    [(RESTING + 1025, 1), (RESTING + 104, 2), (103 + 104, 3), (103 + 53, 4), (103 + 27, 5)],
)
def test_remedies_come_the_cheapest_first_until_it_fits(free: int, count: int) -> None:
    remedies = check(free)(REQUEST).remedies
    assert [remedy.change for remedy in remedies] == CHEAPEST_FIRST[:count]
    assert [remedy.fits for remedy in remedies] == [False] * (count - 1) + [True]
    peaks = [remedy.footprint.peak for remedy in remedies]
    assert peaks == sorted(peaks, reverse=True)
    assert all(remedy.cost for remedy in remedies)


def test_what_is_done_already_is_no_remedy() -> None:
    done = replace(REQUEST, quantizer="nf4", work=ForwardPass((RowSize(256, 9),), checkpointing=True))
    assert check(1)(done).remedies == ()


def test_where_answers_take_most_fewer_are_written_at_once() -> None:
    writing = replace(REQUEST, answers=Answers(8, 1000))
    first, *others = check(RESTING + 1536)(writing).remedies
    assert first.change == "evaluation.batch_size=1"
    assert first.fits
    assert not others


def test_who_is_about_to_load_is_refused_with_the_remedies() -> None:
    with pytest.raises(ModelError) as caught:
        check(RESTING + 104).or_refuse(REQUEST)
    error = caught.value
    assert (error.code, error.exit_status) == ("M006", 4)
    assert "fake on a device" in str(error.where)
    assert (error.got, error.expected) == (
        "1.9 GiB needed at the peak",
        "at most the 0.5 GiB that are free",
    )
    assert error.fix is not None
    assert ", ".join(CHEAPEST_FIRST[:2]) in error.fix
    assert check(RESTING + 1536).or_refuse(REQUEST).fits


def test_where_nothing_helps_that_is_said() -> None:
    with pytest.raises(ModelError, match="take a smaller model"):
        check(1).or_refuse(REQUEST)
