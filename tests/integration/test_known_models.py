"""Well-known models, built from their shapes without weights, have the published numbers of parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from cesello.adapters.model import known_models
from cesello.adapters.model.known_models import known_config

TABLE = Path(known_models.__file__).with_name("known_models.json")
ENTRIES: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))


NAMES = [name for entry in ENTRIES for name in entry["names"]]


def first_name(entry: dict[str, Any]) -> str:
    name: str = entry["names"][0]
    return name


@pytest.mark.parametrize("entry", ENTRIES, ids=first_name)
def test_a_model_without_weights_has_the_published_number_of_parameters(entry: dict[str, Any]) -> None:
    config = known_config(first_name(entry))
    assert config is not None
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    # ``parameters`` gives a weight that two modules share once.
    assert sum(weight.numel() for weight in model.parameters()) == entry["parameters"]


def test_no_name_is_there_twice() -> None:
    names = [name.casefold() for name in NAMES]
    assert len(names) == len(set(names))


def test_every_name_has_an_organisation() -> None:
    for name in NAMES:
        organisation, _, model = name.partition("/")
        assert organisation, name
        assert model, name
        assert "/" not in model, name


def test_every_name_leads_to_the_config_of_its_entry() -> None:
    for entry in ENTRIES:
        for name in entry["names"]:
            assert known_config(name) == entry["config"]
            assert known_config(name.upper()) == entry["config"]


def test_an_unknown_name_has_no_config() -> None:
    assert known_config("somebody/some-model") is None
    assert known_config("gpt2") is None


def test_what_is_done_to_a_config_does_not_reach_the_next_caller() -> None:
    name = "google/gemma-3-4b-it"
    config = known_config(name)
    assert config is not None
    config["text_config"]["hidden_size"] = 1
    again = known_config(name)
    assert again is not None
    assert again["text_config"]["hidden_size"] == 2560
