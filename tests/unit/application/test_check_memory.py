from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.application.check_memory import CheckMemory, MemoryRequest
from cesello.domain.errors import ModelError
from cesello.domain.footprint import DeviceMemory, Evaluating, ForwardPass, RowSize
from cesello.domain.model_spec import LoraSpec, ModelSpec
from tests.fakes.model import MIB, FakeDevices, FakeMemoryPredictor

WORK = ForwardPass((RowSize(512, 100), RowSize(1024, 200)))
REQUEST = MemoryRequest(
    ModelSpec("fake"), "none", LoraSpec(), WORK, Evaluating(0, 0), batch_size=2, accumulate=2
)
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
    {"training.batch_size": "1", "training.accumulate": "4"},
    {"training.gradient_checkpointing": "true"},
    {"quantizer.name": "nf4"},
    {"data.max_tokens": "512"},
    {"data.max_tokens": "256"},
]


@pytest.mark.parametrize(
    ("free", "count"),
    # The longest row alone, with its gradients; computed again; in 4 bits; shorter.
    [(RESTING + 1025, 1), (RESTING + 104, 2), (103 + 104, 3), (103 + 53, 4), (103 + 27, 5)],
)
def test_remedies_come_the_cheapest_first_until_it_fits(free: int, count: int) -> None:
    remedies = check(free)(REQUEST).remedies
    assert [remedy.changes for remedy in remedies] == CHEAPEST_FIRST[:count]
    assert [remedy.fits for remedy in remedies] == [False] * (count - 1) + [True]
    peaks = [remedy.footprint.peak for remedy in remedies]
    assert peaks == sorted(peaks, reverse=True)
    assert all(remedy.cost for remedy in remedies)


def test_of_packed_sequences_one_is_left_and_not_one_row() -> None:
    """Two sequences of eight rows each; a batch of one is one sequence, and cannot be made smaller."""
    rows = (RowSize(128, 100),) * 16
    packed = replace(REQUEST, work=ForwardPass(rows), batch_size=2)
    [first, *_] = check(RESTING + 1025)(packed).remedies
    assert first.changes == {"training.batch_size": "1", "training.accumulate": "4"}
    assert first.footprint.activations == 8 * 128 * MIB
    alone = replace(packed, work=ForwardPass(rows[:8]), batch_size=1)
    assert "training.batch_size" not in [key for one in check(1)(alone).remedies for key in one.changes]
    shorter = [one for one in check(1)(alone).remedies if "data.max_tokens" in one.changes]
    assert [one.changes["data.max_tokens"] for one in shorter] == ["512", "256"]
    assert [one.footprint.activations for one in shorter] == [512 * MIB // 10, 256 * MIB // 10]


def test_on_a_gpu_activations_can_wait_elsewhere() -> None:
    memory = DeviceMemory("cuda", "a GPU", MIB, MIB)
    changes = [one.changes for one in check(None)(replace(REQUEST, memory=memory)).remedies]
    assert changes[2] == {"training.activation_offload": "true"}


def test_pissa_is_not_told_to_quantise() -> None:
    pissa = replace(REQUEST, lora=LoraSpec(init="pissa"))
    assert not any("quantizer.name" in one.changes for one in check(1)(pissa).remedies)


def test_what_is_loaded_already_is_not_counted_twice() -> None:
    weights_and_lora = 401
    assert not check(RESTING + 1535)(REQUEST).fits
    assert check(RESTING + 1536 - weights_and_lora)(replace(REQUEST, loaded=True)).fits
    assert not check(RESTING + 1535 - weights_and_lora)(replace(REQUEST, loaded=True)).fits


def test_what_is_done_already_is_no_remedy() -> None:
    work = ForwardPass((RowSize(256, 9),), checkpointing=True)
    done = replace(REQUEST, quantizer="nf4", work=work, batch_size=1)
    assert check(1)(done).remedies == ()


def test_where_answers_take_most_fewer_are_written_at_once() -> None:
    writing = replace(REQUEST, evaluating=Evaluating(8, 1000))
    first, *others = check(RESTING + 1536)(writing).remedies
    assert first.changes == {"evaluation.batch_size": "1"}
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
    named = "training.batch_size=1, training.accumulate=4, training.gradient_checkpointing=true"
    assert f"set {named}; " in error.fix
    assert check(RESTING + 1536).or_refuse(REQUEST).fits


def test_a_key_is_named_once_with_its_last_value() -> None:
    with pytest.raises(ModelError) as caught:
        check(103 + 27).or_refuse(REQUEST)
    assert (caught.value.fix or "").count("data.max_tokens") == 1
    assert "data.max_tokens=256" in (caught.value.fix or "")


def test_where_nothing_helps_that_is_said() -> None:
    with pytest.raises(ModelError, match="take a smaller model"):
        check(1).or_refuse(REQUEST)
