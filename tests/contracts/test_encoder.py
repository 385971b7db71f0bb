"""What every Encoder owes, on the fake and on transformers with a tiny tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.domain.conversation import Conversation
from cesello.domain.errors import ModelError
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.model import Encoder, ModelProvider
from tests.conversations import CALLS, CHAT, TEXT
from tests.fakes.model import FakeModelProvider
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

ALL = (CHAT, CALLS, TEXT)


@dataclass
class Workshop:
    """A provider, two models that it has, and one that it has not."""

    provider: ModelProvider
    model: ModelSpec
    other: ModelSpec
    missing: ModelSpec


@pytest.fixture(params=["fake", "transformers"], scope="module")
def workshop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    if request.param == "fake":
        return Workshop(FakeModelProvider(), ModelSpec("fake"), ModelSpec("other"), ModelSpec("missing"))
    folder = tmp_path_factory.mktemp("model")
    tiny = make_tiny_model(folder / "tiny")
    base = make_tiny_model(folder / "base", chat_tokens=False)
    provider = HfModelProvider(NoQuantizer(), HubCache(None))
    return Workshop(provider, ModelSpec(str(tiny)), ModelSpec(str(base)), ModelSpec(str(folder / "missing")))


@pytest.fixture(scope="module")
def encoder(workshop: Workshop) -> Encoder:
    return workshop.provider.encoder(workshop.model)


def test_rows_come_in_the_order_of_their_conversations_whatever_the_batch(encoder: Encoder) -> None:
    alone = [encoder.encode([one])[0] for one in ALL]
    assert encoder.encode(ALL) == alone
    many = [*ALL] * 70
    assert encoder.encode(many) == alone * 70
    assert encoder.encode([]) == []


def test_every_row_is_whole_and_has_labels(encoder: Encoder) -> None:
    for row in encoder.encode(ALL):
        assert len(row.ids) == len(row.trained)
        assert row.trained[0] == 0
        assert 0 < row.trained_tokens < len(row)
        assert not row.truncated


def test_the_last_token_of_an_answer_is_trained(encoder: Encoder) -> None:
    answers = [Conversation(CHAT.messages[:3]), Conversation(CALLS.messages[:2], CALLS.tools)]
    for row, longer in zip(encoder.encode(answers), encoder.encode([CHAT, CALLS]), strict=True):
        last = max(index for index, label in enumerate(row.trained) if label)
        assert longer.ids[last] == row.ids[last]
        assert longer.trained[: last + 1] == row.trained[: last + 1]


def test_of_plain_text_all_is_trained_but_its_first_token(encoder: Encoder) -> None:
    [row] = encoder.encode([TEXT])
    assert row.trained_tokens == len(row) - 1 > 1


def test_it_encodes_as_the_policy_of_the_same_model(workshop: Workshop, encoder: Encoder) -> None:
    policy = workshop.provider.load(workshop.model, LoraSpec(), seed=0)
    assert [policy.encode(one) for one in ALL] == encoder.encode(ALL)


def test_the_same_model_has_the_same_identity_and_another_has_not(
    workshop: Workshop, encoder: Encoder
) -> None:
    before = encoder.identity
    encoder.encode(ALL)
    again = workshop.provider.encoder(workshop.model)
    again.encode(ALL)
    assert before == encoder.identity == again.identity
    assert workshop.provider.encoder(workshop.other).identity != before


def test_pieces_are_the_text_of_each_token(encoder: Encoder) -> None:
    rows = encoder.encode(ALL)
    for row in rows:
        pieces = encoder.pieces(row.ids)
        assert len(pieces) == len(row)
    shown = "".join(encoder.pieces(rows[0].ids))
    for word in ("cesello?", "goldsmith,", "perché", "🙂"):
        assert word in shown
    assert encoder.pieces([]) == []


@settings(deadline=None)
@given(cut=st.integers(0, 200))
def test_pieces_of_a_part_are_as_many_as_its_tokens(encoder: Encoder, cut: int) -> None:
    [row] = encoder.encode([CHAT])
    assert len(encoder.pieces(row.ids[cut:])) == len(row.ids[cut:])


def test_a_model_that_is_not_here_is_told(workshop: Workshop) -> None:
    with pytest.raises(ModelError) as caught:
        workshop.provider.encoder(workshop.missing)
    assert caught.value.code == "M001"
    assert workshop.missing.name in str(caught.value)


def test_no_weights_are_needed(tmp_path: Path) -> None:
    tiny = make_tiny_model(tmp_path / "tiny")
    (tiny / "model.safetensors").unlink()
    provider = HfModelProvider(NoQuantizer(), HubCache(None))
    assert provider.encoder(ModelSpec(str(tiny))).encode([CHAT])[0].trained_tokens
    (tiny / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="M003"):
        provider.encoder(ModelSpec(str(tiny)))


def test_a_tokenizer_that_does_not_tell_where_its_tokens_stand_is_refused(tmp_path: Path) -> None:
    tiny = make_tiny_model(tmp_path / "tiny")
    (tiny / "tokenizer.json").unlink()
    (tiny / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    with pytest.raises(ModelError, match=r"M003.*expected a tokenizer\.json") as caught:
        HfModelProvider(NoQuantizer(), HubCache(None)).encoder(ModelSpec(str(tiny)))
    assert caught.value.fix
