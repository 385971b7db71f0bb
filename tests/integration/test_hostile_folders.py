"""Folders of strangers: nothing of them runs, and each is refused with its reason and its remedy."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest

from cesello.adapters.model import safe_folder
from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.lora_files import check_weights
from cesello.adapters.model.meta_predictor import MetaPredictor
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.domain.errors import ModelError
from cesello.domain.footprint import Evaluating, ForwardPass, RowSize
from cesello.domain.model_spec import LoraSpec, ModelSpec
from tests.strange_folders import (
    INDEX,
    MODULE,
    PROVIDER,
    Case,
    Make,
    Payload,
    change,
    change_header,
    configured,
    pickled,
    refused,
    without,
    written,
)

pytestmark = pytest.mark.usefixtures("one_thread")


# Eight kinds of attack


def pickled_inside(folder: Path, payload: Payload) -> None:
    (folder / "original" / "deep").mkdir(parents=True)
    (folder / "original" / "deep" / "consolidated.00.pth").write_bytes(payload.pickle)


def own_code(folder: Path, payload: Payload) -> None:
    (folder / "modeling_evil.py").write_text(f"{payload.code}\nclass Evil: ...")
    change(folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling_evil.Evil"})


def import_hooks(folder: Path, payload: Payload) -> None:
    change(
        folder / "adapter_config.json",
        task_type=None,
        auto_mapping={"base_model_class": "Evil", "parent_library": MODULE},
        megatron_config={"tensor_model_parallel_size": 1},
        megatron_core=MODULE,
    )


def escaping_template(folder: Path, payload: Payload) -> None:
    (folder / "chat_template.jinja").write_text("{{ bos_token }}\n" + payload.template)


def link_out(folder: Path, payload: Payload) -> None:
    secret = payload.folder / "secret.json"
    shutil.copy(folder / "tokenizer.json", secret)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to(secret)


def oversized_header(folder: Path, payload: Payload) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(struct.pack("<Q", 2**40) + weights.read_bytes()[8:])


def aliasing(folder: Path, payload: Payload) -> None:
    def on_one_another(header: dict[str, Any]) -> None:
        first, second = (f"model.layers.{layer}.self_attn.q_proj.weight" for layer in (0, 1))
        header[second]["data_offsets"] = header[first]["data_offsets"]

    change_header(folder / "model.safetensors", on_one_another)


HOSTILE = {
    "a pickle": Case(
        pickled("pytorch_model.bin"), "M040", "pytorch_model.bin", "the ending .bin", "remove it if"
    ),
    "pickles in a folder": Case(
        pickled_inside, "M041", "original/deep/consolidated.00.pth", "the ending .pth", "the folder original"
    ),
    "auto_map": Case(own_code, "M042", "config.json", "modeling_evil.Evil", "remove auto_map"),
    "import hooks of PEFT": Case(
        import_hooks, "M008", "adapter_config.json", "auto_mapping", "save them again", of_lora=True
    ),
    "a template that escapes": Case(
        escaping_template, "M047", "chat_template.jinja", "__globals__", "do not use"
    ),
    "a link out": Case(link_out, "M044", "tokenizer.json", "secret.json", "put a copy"),
    "an oversized header": Case(
        oversized_header, "M045", "model.safetensors", f"{2**40} bytes", "bring the file again"
    ),
    "tensors on one another": Case(
        aliasing, "M046", "model.safetensors", "on the bytes of", "bring the file again"
    ),
}


# Others of these kinds


def names_weights(index: str, name: str) -> Make:
    return written(index, json.dumps({"metadata": {}, "weight_map": {"lm_head.weight": name}}))


def named_pipe(folder: Path, payload: Payload) -> None:
    (folder / "generation_config.json").unlink()
    os.mkfifo(folder / "generation_config.json")


def code_for_answers(folder: Path, payload: Payload) -> None:
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(payload.code)


def two_shards(folder: Path, payload: Payload) -> None:
    for shard in ("a", "b"):
        shutil.copy(folder / "model.safetensors", folder / f"{shard}.safetensors")
    weight_map = {"lm_head.weight": "a.safetensors", "model.norm.weight": "b.safetensors"}
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))


def other_configuration(folder: Path, payload: Payload) -> None:
    """transformers would read that one instead."""
    change(folder / "config.json", configuration_files=["config.4.0.0.json"])
    shutil.copy(folder / "config.json", folder / "config.4.0.0.json")
    change(folder / "config.4.0.0.json", transformers_weights="sub/other.safetensors")


def pickled_lora(folder: Path, payload: Payload) -> None:
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(payload.pickle)


OTHERS = {
    "a pickle in capitals": Case(pickled("MODEL.PT"), "M040", "MODEL.PT", ".pt", "remove it if"),
    "an array that may hold one": Case(pickled("x.npy"), "M040", "x.npy", ".npy", "remove it if"),
    "a pickle as safetensors": Case(
        pickled("other.safetensors"), "M045", "other.safetensors", "a header of", "bring the file again"
    ),
    "an index of pickles": Case(names_weights(INDEX, "w.bin"), "M040", INDEX, '"w.bin"', "remove it if"),
    "a pickle's own index": Case(
        names_weights("pytorch_model.bin.index.json", "w.bin"),
        "M040", "pytorch_model.bin.index.json", '"w.bin"', "remove it if",
    ),
    "an index of other weights": Case(names_weights(INDEX, "w.h5"), "M043", INDEX, '"w.h5"', "remove it"),
    "an index that leads up": Case(
        names_weights(INDEX, "../w.safetensors"), "M044", INDEX, '"../w.safetensors"', "put a copy"
    ),
    "an index that leads away": Case(
        names_weights(INDEX, "/w.safetensors"), "M044", INDEX, '"/w.safetensors"', "put a copy"
    ),
    "two files with one tensor": Case(two_shards, "M046", "b.safetensors", "another file", "bring the file"),
    "other configurations": Case(
        other_configuration, "M043", "config.json", "config.4.0.0.json", "remove the key"
    ),
    "weights that a configuration names": Case(
        configured("config.json", transformers_weights="adapter_model.bin"),
        "M040", "config.json", "adapter_model.bin", "remove it if",
    ),
    "code that a part asks for": Case(
        configured("config.json", text_config={"auto_map": {"AutoConfig": "someone/else--evil.Evil"}}),
        "M042", "config.json", "someone/else--evil.Evil", "take another model",
    ),
    "code that a tokenizer asks for": Case(
        configured("tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Slow", "evil.Fast"]}),
        "M042", "tokenizer_config.json", "evil.Fast", "take another model",
    ),
    "code for answers": Case(
        code_for_answers, "M043", "generate.py", "the ending .py", "remove the folder custom_generate"
    ),
    "a module": Case(written("setup.py", "import os"), "M043", "setup.py", "the ending .py", "remove it"),
    "a program": Case(written("run", "#!/bin/sh"), "M043", "run", "without an ending", "remove it"),
    "a named pipe": Case(named_pipe, "M043", "generation_config.json", "neither", "remove it"),
    "LoRA weights in a model": Case(
        written("adapter_config.json", '{"peft_type": "LORA"}'),
        "M043", "model", "adapter_config.json", "lora.continue_from",
    ),
    "a pickle beside LoRA weights": Case(
        pickled("training_args.bin"), "M040", "training_args.bin", ".bin", "remove it if", of_lora=True
    ),
    "pickled LoRA weights": Case(
        pickled_lora, "M040", "adapter_model.bin", ".bin", "remove it if", of_lora=True
    ),
    "no LoRA weights": Case(
        without("adapter_model.safetensors"),
        "M008", "lora", "no adapter_model.safetensors", "save them again", of_lora=True,
    ),
    "a rank beyond the LoRA weights": Case(
        configured("adapter_config.json", r=10**9),
        "M008", "adapter_config.json", "r 1000000000", "save them again", of_lora=True,
    ),
    "an escaping template of LoRA weights": Case(
        escaping_template, "M047", "lora/chat_template.jinja", "__globals__", "do not use", of_lora=True
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [*HOSTILE, *OTHERS])
def test_a_hostile_folder_runs_nothing_and_is_refused(
    name: str, tmp_path: Path, tiny: Path, lora: Path, payload: Payload
) -> None:
    case = (HOSTILE | OTHERS)[name]
    error = refused(case.folder(tmp_path, tiny, lora, payload), tiny)
    assert not payload.ran()
    case.check(error)


def test_each_kind_of_attack_has_its_own_code_and_sentence(
    tmp_path: Path, tiny: Path, lora: Path, payload: Payload
) -> None:
    errors = []
    for name, case in HOSTILE.items():
        (tmp_path / name).mkdir()
        errors.append(refused(case.folder(tmp_path / name, tiny, lora, payload), tiny))
    assert len(errors) == 8
    assert len({error.code for error in errors}) == 8
    assert len({error.what for error in errors}) == 8


@pytest.mark.parametrize("way", ["pickle", "module", "template"])
def test_the_payload_leaves_a_trace_where_it_is_let(way: str, payload: Payload) -> None:
    """Or the tests above could not fail."""
    assert not payload.ran()
    if way == "template":
        jinja2.Environment().from_string(payload.template).render()
    else:
        (payload.folder / "p").write_bytes(payload.pickle if way == "pickle" else payload.code.encode())
        unpickle = ["-c", "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"]
        options = unpickle if way == "pickle" else []
        subprocess.run([sys.executable, *options, str(payload.folder / "p")], check=True)
    assert payload.ran()


OF_LORA = [name for name, case in (HOSTILE | OTHERS).items() if case.of_lora and case.code != "M047"]


@pytest.mark.parametrize("name", OF_LORA)
def test_weights_to_go_on_from_are_looked_at_by_the_plan_too(
    name: str, tmp_path: Path, tiny: Path, lora: Path, payload: Payload
) -> None:
    """It comes before the model is loaded, and builds LoRA layers as their configuration says."""
    case = (HOSTILE | OTHERS)[name]
    folder = case.folder(tmp_path, tiny, lora, payload)
    predictor = MetaPredictor({"none": NoQuantizer()}, HubCache(None))
    work, spec = ForwardPass((RowSize(4, 2),)), LoraSpec(continue_from=str(folder))
    with pytest.raises(ModelError) as caught:
        predictor.footprint(ModelSpec(str(tiny), dtype="float32"), "none", spec, work, Evaluating(1, 1))
    assert not payload.ran()
    case.check(caught.value)


@pytest.mark.parametrize("way", ["encoder", "identity"])
def test_each_way_to_a_model_looks_first(way: str, tmp_path: Path, tiny: Path, payload: Payload) -> None:
    folder = HOSTILE["a pickle"].folder(tmp_path, tiny, tiny, payload)
    with pytest.raises(ModelError, match="M040"):
        getattr(PROVIDER, way)(ModelSpec(str(folder)))


def test_weights_to_go_on_from_are_looked_at(
    tmp_path: Path, tiny: Path, lora: Path, payload: Payload
) -> None:
    folder = HOSTILE["import hooks of PEFT"].folder(tmp_path, tiny, lora, payload)
    with pytest.raises(ModelError, match="M008"):
        PROVIDER.load(ModelSpec(str(tiny)), LoraSpec(continue_from=str(folder)), seed=0)
    assert not payload.ran()


def test_what_is_no_folder_of_a_model_is_not_searched_through(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_folder, "_MOST", 3)
    error = refused(tiny, tiny)
    assert (error.code, error.got) == ("M043", "more than 3 files")


# Names on the hub, and its cache

COMMIT = "ab" * 20


def in_the_cache(tiny: Path, tmp_path: Path) -> Path:
    """The tiny model as the hub's cache keeps it: a folder of links to blobs."""
    repository = tmp_path / "hub" / "models--some-org--tiny"
    snapshot = repository / "snapshots" / COMMIT
    for folder in (snapshot, repository / "blobs", repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    for path in tiny.iterdir():
        shutil.copy(path, repository / "blobs" / f"of-{path.name}")
        (snapshot / path.name).symlink_to(f"../../blobs/of-{path.name}")
    return snapshot


def loaded(name: str, cache: Path | None) -> str:
    """The architecture of a model."""
    provider = HfModelProvider(NoQuantizer(), HubCache(cache))
    return provider.load(ModelSpec(name, dtype="float32"), LoraSpec(), seed=0).facts.architecture


def test_a_snapshot_of_the_cache_is_read_by_its_path(tiny: Path, tmp_path: Path, payload: Payload) -> None:
    snapshot = in_the_cache(tiny, tmp_path)
    assert loaded(str(snapshot), None) == "llama"
    link_out(snapshot, payload)
    assert refused(snapshot, tiny).code == "M044"


def test_what_lies_beside_the_safetensors_of_a_name_is_left_there(
    tiny: Path, tmp_path: Path, payload: Payload
) -> None:
    """Phi-3 brings pickles, code and auto_map, and is built into transformers all the same."""
    snapshot = in_the_cache(tiny, tmp_path)
    own_code(snapshot, payload)
    pickled("pytorch_model.bin")(snapshot, payload)
    assert loaded("some-org/tiny", tmp_path / "hub") == "llama"
    assert not payload.ran()


@pytest.mark.parametrize("implementation", ["eager", "someone/evil-kernel"])
def test_the_recipe_says_how_attention_is_computed(implementation: str, tiny: Path, tmp_path: Path) -> None:
    """A model's files could name a kernel of the hub, which is code."""
    folder = shutil.copytree(tiny, tmp_path / "model")
    change(
        folder / "config.json", _attn_implementation=implementation, _experts_implementation=implementation
    )
    policy = PROVIDER.load(ModelSpec(str(folder), dtype="float32"), LoraSpec(), seed=0)
    assert policy.model.config._attn_implementation == "sdpa"


def evil_architecture(folder: Path, payload: Payload) -> None:
    (folder / "modeling_evil.py").write_text(payload.code)
    change(folder / "config.json", model_type="evil", auto_map={"AutoConfig": "modeling_evil.Evil"})


def evil_tokenizer(folder: Path, payload: Payload) -> None:
    (folder / "evil.py").write_text(payload.code)
    auto_map = {"AutoTokenizer": [None, "evil.Evil"]}
    change(folder / "tokenizer_config.json", tokenizer_class="Evil", auto_map=auto_map)


def pickled_weights_named(folder: Path, payload: Payload) -> None:
    (folder / "adapter_model.bin").write_bytes(payload.pickle)
    change(folder / "config.json", transformers_weights="adapter_model.bin")


def pickled_lora_beside(folder: Path, payload: Payload) -> None:
    """transformers would load it unasked."""
    (folder / "adapter_model.bin").write_bytes(payload.pickle)
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "a/b"}')


NAMED = {
    "an architecture": Case(evil_architecture, "M042", "some-org/tiny", "code", "take another model"),
    "a tokenizer": Case(evil_tokenizer, "M042", "some-org/tiny", "code", "take another model"),
    "weights": Case(pickled_weights_named, "M040", "config.json", "adapter_model.bin", "take a model"),
    "LoRA weights": Case(pickled_lora_beside, "M043", "some-org/tiny", "adapter_config", "continue_from"),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_name_whose_files_would_run_code_is_refused(
    name: str, tiny: Path, tmp_path: Path, payload: Payload
) -> None:
    NAMED[name].make(in_the_cache(tiny, tmp_path), payload)
    with pytest.raises(ModelError) as caught:
        loaded("some-org/tiny", tmp_path / "hub")
    assert not payload.ran()
    NAMED[name].check(caught.value)


# What is fine


def test_a_folder_with_all_that_models_come_with_is_read(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    beside = (
        "LICENSE", "LICENSE-MODEL", "LICENSE.txt", "Notice", "USE_POLICY.md", "README.md", ".gitattributes",
        "figures/loss.png", "onnx/model.onnx", "model.gguf", "tokenizer.model.v3", "vocab.txt",
        "eval/results.yaml", ".cache/huggingface/.gitignore", ".cache/huggingface/CACHEDIR.TAG",
        ".cache/huggingface/download/pytorch_model.bin.metadata",
    )  # fmt: skip
    for name in beside:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("anything")
    (folder / "same.json").symlink_to("config.json")
    assert loaded(str(folder), None) == "llama"


def test_what_peft_itself_saves_is_let_through(tiny: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(
        r=4,
        target_modules="all-linear",
        rank_pattern={"q_proj": 2},
        alpha_pattern={"q_proj": 3},
        modules_to_save=["lm_head"],
        use_rslora=True,
        task_type="CAUSAL_LM",
    )
    get_peft_model(AutoModelForCausalLM.from_pretrained(tiny), config).save_pretrained(str(tmp_path))
    check_weights(ModelSpec(str(tiny)), tmp_path)
