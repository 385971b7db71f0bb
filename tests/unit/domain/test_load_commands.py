"""What is printed to be pasted: valid programs, and commands with what they need and nothing that fails."""

from __future__ import annotations

import ast
import shlex
from dataclasses import replace
from typing import Any

import pytest

from cesello.domain.load_commands import (
    LoraLayout,
    lora_commands,
    lora_program,
    merged_commands,
    merged_program,
    modelfile,
    ollama_command,
    peft_differs,
    vllm_lacks,
)

LORA = LoraLayout(
    folder="runs/1-demo/lora",
    name="demo",
    base="org/base",
    revision=None,
    rank=16,
    dora=False,
    modules_to_save=False,
    experts=False,
    dtype="bfloat16",
    quantizer="none",
    double_quant=True,
    compute="bfloat16",
    own_template=False,
    system_prompt="",
)
NASTY = 'a "folder" \\ with\nall of it'


@pytest.mark.parametrize("quantizer", ["none", "nf4", "fp4", "int8", "torchao_int8"])
def test_the_base_is_loaded_as_it_was_trained(quantizer: str) -> None:
    program = lora_program(replace(LORA, quantizer=quantizer, revision="abc"))
    ast.parse(program)
    assert "dtype=torch.bfloat16" in program
    assert 'revision="abc"' in program
    assert ("quantization_config=" in program) == (quantizer != "none")
    assert ("torchao" in program) == (quantizer == "torchao_int8")


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({}, ""),
        ({"quantizer": "nf4"}, ""),
        ({"quantizer": "nf4", "architecture": "mixtral"}, "experts"),
        ({"quantizer": "nf4", "architecture": "mixtral", "experts": True}, ""),
        ({"quantizer": "int8", "architecture": "mixtral"}, ""),
        ({"quantizer": "torchao_int8", "architecture": "falcon"}, "Falcon's layers"),
        ({"architecture": "falcon"}, ""),
        ({"quantizer": "fp4", "architecture": "unknown", "upcast": True}, "embeddings, head and norms"),
        ({"upcast": True}, ""),
    ],
)
def test_what_plain_peft_has_otherwise_is_known(changes: dict[str, Any], differs: str) -> None:
    assert peft_differs(replace(LORA, **changes)) == differs


def test_four_bits_are_as_in_the_recipe() -> None:
    program = lora_program(replace(LORA, quantizer="fp4", double_quant=False, compute="float16"))
    for text in ('quant_type="fp4"', "use_double_quant=False", "compute_dtype=torch.float16"):
        assert text in program


def test_no_name_breaks_out_of_a_program() -> None:
    for program in (
        merged_program(NASTY, NASTY),
        lora_program(replace(LORA, folder=NASTY, base=NASTY, system_prompt=NASTY)),
    ):
        texts = {node.value for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Constant)}
        assert NASTY in texts


def test_a_system_prompt_comes_first_and_only_where_there_is_one() -> None:
    assert '[{"role": "system", "content": "Be brief."}, {"role": "user"' in merged_program(
        "out", "Be brief."
    )
    assert "system" not in merged_program("out", "")


def test_commands_are_quoted() -> None:
    assert merged_commands("my folder") == ["vllm serve 'my folder'"]
    assert shlex.split(ollama_command("demo", "a b/Modelfile"))[-1] == "a b/Modelfile"


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({}, []),
        ({"rank": 17}, ["--max-lora-rank", "32"]),
        ({"rank": 256}, ["--max-lora-rank", "256"]),
        ({"own_template": True}, ["--chat-template", "runs/1-demo/lora/chat_template.jinja"]),
    ],
)
def test_vllm_is_told_what_it_does_not_expect(change: dict[str, object], options: list[str]) -> None:
    [command] = lora_commands(replace(LORA, **change))  # type: ignore[arg-type]
    words = ["vllm", "serve", "org/base", "--enable-lora", "--lora-modules", "demo=runs/1-demo/lora"]
    assert shlex.split(command) == [*words, *options]


def test_a_pinned_base_is_served_pinned() -> None:
    [command] = lora_commands(replace(LORA, revision="abc"))
    assert "vllm serve org/base --revision abc --enable-lora" in command


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"dora": True}, "DoRA"),
        ({"modules_to_save": True}, "modules that were trained whole"),
        ({"experts": True, "dora": True}, "DoRA and experts' parameters"),
        ({"rank": 513}, "rank 513"),
    ],
)
def test_what_vllm_does_not_load_is_not_served(change: dict[str, object], what: str) -> None:
    lora = replace(LORA, **change)  # type: ignore[arg-type]
    assert lora_commands(lora) == []
    assert vllm_lacks(lora) == what


def test_a_modelfile_names_the_file_beside_it() -> None:
    assert modelfile("demo.gguf", "") == "FROM ./demo.gguf\n"
    assert modelfile("demo.gguf", "Be brief.") == 'FROM ./demo.gguf\nSYSTEM """Be brief."""\n'
    assert "SYSTEM" not in modelfile("demo.gguf", 'say """')
