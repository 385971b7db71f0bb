from __future__ import annotations

from dependency_injector import providers

from cesello.entrypoints.container import DEFAULTS, make_container
from cesello.entrypoints.wiring import NeverStop, SilentObserver
from tests.fakes.run import FakeRunStore


def test_without_a_configuration_the_defaults_hold() -> None:
    config = make_container().config()
    assert config == DEFAULTS
    assert config is not DEFAULTS


def test_a_configuration_changes_key_by_key() -> None:
    config = make_container({"quantizer": {"name": "nf4"}, "output": "elsewhere"}).config()
    assert config["quantizer"] == DEFAULTS["quantizer"] | {"name": "nf4"}
    assert (config["output"], config["algorithm"]) == ("elsewhere", "sft")
    assert DEFAULTS["quantizer"]["name"] == "none"


def test_sources_are_built_by_their_kind() -> None:
    stdlib = {"name": "code", "kind": "stdlib", "modules": ["json"]}
    chat = {"name": "chat", "kind": "file", "path": "chat.jsonl"}
    sources = make_container({"data": {"sources": [stdlib, chat]}}).sources()
    assert [(name, source.name) for name, source in sources.items()] == [("code", "code"), ("chat", "chat")]
    assert sources["chat"].origin == "file chat.jsonl"


def test_an_override_in_one_container_leaves_another_alone() -> None:
    one, other = make_container(), make_container()
    fake = FakeRunStore()
    one.run_store.override(providers.Object(fake))
    assert one.run_store() is fake
    assert other.run_store() is not fake
    assert other.run_store() is other.run_store()


def test_who_watches_nothing_and_never_stops() -> None:
    container = make_container()
    observer, stop = container.observer(), container.stop()
    assert isinstance(observer, SilentObserver)
    assert isinstance(stop, NeverStop)
    stop.check()
    assert stop.requested is None
    assert container.rewards()["function_calling"].name == "function_calling"
