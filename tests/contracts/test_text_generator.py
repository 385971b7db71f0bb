"""What every model that answers owes, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.openai_generator import OpenAiGenerator
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.domain.conversation import Conversation, Message, Role, user
from cesello.domain.errors import CeselloError, ModelError, RetryableError
from cesello.domain.generation import Sampling
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.model import Policy
from cesello.domain.ports.text import TextGenerator
from tests.chat_server import ChatService, chat_service
from tests.fakes.text import FakeTextGenerator
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

GREEDY = Sampling(6)
PROMPTS = [
    user("one").with_system("Be brief."),
    user("two, which is asked with many more words than the others are"),
    Conversation((Message(Role.USER, "three"), Message(Role.ASSISTANT, "3"), Message(Role.USER, "and four"))),
    user("five"),
    user(""),
]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder: Path = make_tiny_model(tmp_path_factory.mktemp("text") / "tiny")
    provider = HfModelProvider(NoQuantizer(), HubCache(None))
    return provider.load(ModelSpec(str(folder), dtype="float32"), LoraSpec(r=4), seed=0)


@pytest.fixture
def service() -> Iterator[ChatService]:
    with chat_service(lambda messages: f"to {messages[-1]['content']}") as running:
        yield running


@pytest.fixture(params=["fake", "server", "policy"])
def generator(request: pytest.FixtureRequest) -> TextGenerator:
    if request.param == "server":
        service: ChatService = request.getfixturevalue("service")
        return OpenAiGenerator(service.url, "small", workers=3)
    if request.param == "policy":
        policy: Policy = request.getfixturevalue("policy")
        return policy
    return FakeTextGenerator({"one": "1", "two": "2", "four": "4"})


def test_each_prompt_has_its_completion_in_its_place(generator: TextGenerator) -> None:
    together = generator.generate(PROMPTS, GREEDY)
    alone = [one for prompt in PROMPTS for one in generator.generate([prompt], GREEDY)]
    assert [one.text for one in together] == [one.text for one in alone]
    assert [one.finished for one in together] == [one.finished for one in alone]


def test_a_completion_has_no_more_tokens_than_it_may(generator: TextGenerator) -> None:
    for one in generator.generate(PROMPTS, GREEDY):
        assert 0 <= one.tokens <= GREEDY.max_new_tokens or one.finished


def test_of_no_prompts_nothing_is_made(generator: TextGenerator) -> None:
    assert list(generator.generate([], GREEDY)) == []


def test_what_was_asked_is_left_as_it_was(generator: TextGenerator) -> None:
    prompts = list(PROMPTS)
    generator.generate(prompts, GREEDY)
    assert prompts == PROMPTS


@pytest.mark.parametrize("where", ["fake", "server"])
@pytest.mark.parametrize(
    ("error", "makes_it_so"),
    [(RetryableError("T090", "busy"), "busy_after"), (ModelError("M090", "strange"), "lost_after")],
    ids=["busy", "strange"],
)
def test_what_is_in_the_way_is_told(
    error: CeselloError, makes_it_so: str, where: str, service: ChatService
) -> None:
    """One that is too busy may be asked again, one that answers something else may not."""
    generator: TextGenerator = FakeTextGenerator(failure=error)
    if where == "server":
        setattr(service, makes_it_so, 1)
        generator = OpenAiGenerator(service.url, "small", workers=1)
    with pytest.raises(type(error), match=error.code):
        generator.generate(PROMPTS, GREEDY)
