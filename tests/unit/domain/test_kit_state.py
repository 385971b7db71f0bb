from __future__ import annotations

import pytest

from cesello.domain.kit_state import Damage, DamageKind, ItemReport, State
from tests.fakes.kit import data_item


@pytest.mark.parametrize("kind", DamageKind)
def test_every_damage_is_an_error_that_says_how_to_mend_it(kind: DamageKind) -> None:
    error = Damage("words", kind, "kit/words/a.json", "sha256 12", "sha256 34").as_error()
    assert error.exit_status == 74
    place, compared = "kit/words/a.json", "got sha256 12 -> expected sha256 34"
    assert (
        str(error) == f"error[{error.code}] {kind.value} at {place} · {compared} · run `cesello kit install`"
    )


def test_every_kind_of_damage_has_a_code_of_its_own() -> None:
    codes = {Damage("words", kind, "a.json").as_error().code for kind in DamageKind}
    assert len(codes) == len(DamageKind)


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ([], State.INSTALLED),
        ([DamageKind.ABSENT], State.ABSENT),
        ([DamageKind.CHANGED], State.DAMAGED),
        ([DamageKind.OUTDATED], State.DAMAGED),
    ],
)
def test_the_state_follows_from_the_damages(kinds: list[DamageKind], state: State) -> None:
    damages = tuple(Damage("words", kind, "a.json") for kind in kinds)
    assert ItemReport(data_item(), "folder", 0, damages).state is state
