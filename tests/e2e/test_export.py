"""Exporting as a person does it: the command, what it prints, and whether what it prints is true."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import cesello_here, environment
from tests.gguf_script import write_gguf_script
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: demo
model: {name: ./tiny, dtype: float32}
quantizer: {name: nf4}
lora: {dropout: 0.0, target_modules: all-linear}
data:
  system_prompt: Be brief.
  sources:
    - {name: rows, kind: file, path: rows.jsonl, holdout: 4}
training: {max_steps: 12, batch_size: 4, learning_rate: 0.02}
evaluation: {samples: 0, max_new_tokens: 4}
"""


@dataclass(frozen=True)
class Project:
    """A folder with a trained run, and its export in float32 in ``out``."""

    folder: Path
    said: str
    lora_said: str

    @property
    def run(self) -> Path:
        (run,) = (self.folder / "runs").glob("*/")
        return run

    @property
    def out(self) -> Path:
        return self.folder / "out"


@pytest.fixture(scope="module")
def made(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    make_tiny_model(folder / "tiny")
    rows = [{"prompt": f"say {n}", "completion": f"number {n}, as you asked"} for n in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE)
    said = [
        _done(folder, *command)
        for command in (
            ("train", "recipe.yaml"),
            ("export", "demo", "--merge", "out", "--dtype", "float32"),
            ("export", "demo"),
        )
    ]
    return Project(folder, said[1], said[2])


@pytest.fixture
def project(made: Project, tmp_path: Path) -> Project:
    """A copy to be changed; the model stays where the run remembers it."""
    folder = tmp_path / "project"
    shutil.copytree(made.folder, folder)
    return Project(folder, made.said, made.lora_said)


def _done(folder: Path, *command: str) -> str:
    done = cesello_here(*command, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def printed_program(text: str) -> str:
    """From its first import to the line that prints an answer."""
    found = re.search(r"^(?:import torch|from transformers).*?^print\(.*?$", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return found[0]


def run_program(project: Project, text: str, tmp_path: Path) -> dict[str, Any]:
    """What a program of the output defines, after running it where a person would."""
    program = tmp_path / "program.py"
    program.write_text(printed_program(text))
    before = Path.cwd()
    os.chdir(project.folder)
    try:
        return runpy.run_path(str(program))
    finally:
        os.chdir(before)


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_command_tells_what_it_merged_into_and_how_alike_it_is(made: Project) -> None:
    assert "merged    out, float32, into dequantised" in made.said
    assert "The base weights are as nf4 rounded them, which is what the training saw." in made.said
    assert "label positions of 4 held-out rows of the run" in made.said
    assert re.search(r"greedy answers that agree +4 of 4", made.said)
    manifest = json.loads((made.out / "export.json").read_text())
    assert manifest["parity"]["max_logit_difference"] < 1e-4
    assert (manifest["into"], manifest["base_model"]) == ("dequantised", "tiny")
    assert set(manifest["files"]) == {path.name for path in made.out.iterdir()} - {"export.json"}


def test_the_folder_is_private_and_names_no_place(made: Project) -> None:
    assert stat.S_IMODE(made.out.stat().st_mode) == 0o700
    for path in made.out.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert str(made.folder).encode() not in path.read_bytes(), path.name


def test_the_programs_that_are_printed_load_the_same_model(made: Project, tmp_path: Path) -> None:
    import torch

    merged = run_program(made, made.said, tmp_path)
    tuned = run_program(made, made.lora_said, tmp_path)
    assert "system\nBe brief." in merged["tokenizer"].decode(merged["inputs"]["input_ids"][0])
    ids = merged["answer"]
    with torch.no_grad():
        ours, theirs = merged["model"](ids).logits, tuned["model"](ids).logits
        with tuned["model"].disable_adapter():
            base = tuned["model"](ids).logits
    # Not exactly: for answers bitsandbytes has another kernel than for trainings, on some CPUs.
    assert (ours - theirs).abs().max() < 0.01
    assert (ours - base).abs().max() > 0.1


def test_the_commands_that_are_printed_name_what_is_there(made: Project) -> None:
    run = f"runs/{made.run.name}/lora"
    assert "\nvllm serve out\n" in made.said
    served = f"vllm serve {made.folder}/tiny --enable-lora --lora-modules demo={run} --chat-template {run}"
    assert f"\n{served}/chat_template.jinja\n" in made.lora_said
    assert (made.run / "lora" / "chat_template.jinja").exists()
    assert "Served as published, it can answer otherwise" in made.lora_said


def test_telling_how_lora_weights_are_loaded_changes_nothing(project: Project) -> None:
    before = snapshot(project.folder)
    _done(project.folder, "export", "latest")
    told = json.loads(_done(project.folder, "export", "demo", "--json"))
    assert told["lora"] == f"runs/{project.run.name}/lora"
    assert len(told["commands"]) == 1
    assert snapshot(project.folder) == before


def test_weights_that_vllm_does_not_load_are_not_served(project: Project) -> None:
    config = project.run / "lora" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"use_dora": True}))
    said = _done(project.folder, "export", "demo")
    assert "vllm serve" not in said
    assert "vLLM does not load DoRA as LoRA weights: merge them, with --merge DIR." in said


def test_an_export_verifies(made: Project) -> None:
    said = _done(made.folder, "verify", "out")
    assert "files     7 of 7 are as they were written" in said
    assert re.search(r"greedy answers that agree +4 of 4 +4 of 4", said)
    assert json.loads(_done(made.folder, "verify", "out", "--json"))["good"]


def test_a_changed_byte_is_found(project: Project) -> None:
    weights = project.out / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    done = cesello_here("verify", "out", cwd=project.folder)
    assert done.returncode == 4
    assert "model.safetensors: changed" in done.stdout
    assert "error[M036]" in done.stderr
    assert "model.safetensors (changed)" in done.stderr


def test_figures_that_are_not_true_are_found(project: Project) -> None:
    path = project.out / "export.json"
    manifest = json.loads(path.read_text())
    manifest["parity"]["max_logit_difference"] = 0.5
    path.write_text(json.dumps(manifest))
    done = cesello_here("verify", "out", cwd=project.folder)
    assert done.returncode == 4
    assert re.search(r"largest difference of logits +0.5 .* differs", done.stdout)
    assert "error[M037]" in done.stderr


def test_without_the_run_files_are_still_checked(project: Project) -> None:
    shutil.rmtree(project.folder / "runs")
    said = _done(project.folder, "verify", "out")
    assert "files     7 of 7" in said
    assert "not measured: the run is not there any more" in said
    (project.out / "tokenizer.json").unlink()
    done = cesello_here("verify", "out", cwd=project.folder)
    assert done.returncode == 4
    assert "tokenizer.json: missing" in done.stdout


def test_without_its_data_a_run_is_exported_and_verified_as_far_as_that_goes(project: Project) -> None:
    (project.run / "recipe.yaml").write_text(
        (project.run / "recipe.yaml").read_text().replace("rows.jsonl", "gone.jsonl")
    )
    said = _done(project.folder, "verify", "out")
    assert 'not measured: the run\'s data is not there any more (the files of source "rows"' in said
    done = cesello_here("export", "demo", "--merge", "again", "--json", cwd=project.folder)
    assert done.returncode == 0, done.stderr
    assert "measured on built-in rows of cesello" in done.stderr
    parity = json.loads(done.stdout)["parity"]
    assert (parity["origin"], parity["rows"]) == ("built-in rows of cesello", 8)


def test_a_folder_that_is_there_is_replaced_only_if_it_is_an_export(project: Project) -> None:
    refused = cesello_here("export", "demo", "--merge", "out", cwd=project.folder)
    assert refused.returncode == 2
    assert "error[C060] something is there already at out" in refused.stderr
    _done(project.folder, "export", "demo", "--merge", "out", "--overwrite", "--rows", "2")
    manifest = json.loads((project.out / "export.json").read_text())
    assert (manifest["dtype"], manifest["parity"]["rows"]) == ("bfloat16", 2)
    refused = cesello_here("export", "demo", "--merge", "runs", "--overwrite", cwd=project.folder)
    assert refused.returncode == 2
    assert project.run.exists()


def test_what_is_not_there_is_told(project: Project) -> None:
    for command in (("export", "another"), ("export", "another", "--merge", "new")):
        done = cesello_here(*command, cwd=project.folder)
        assert done.returncode == 3
        assert 'error[D030] there is no run "another"' in done.stderr
    shutil.rmtree(project.run / "lora")
    for command in (("export", "demo"), ("export", "demo", "--merge", "new")):
        done = cesello_here(*command, cwd=project.folder)
        assert done.returncode == 4
        assert "error[M007] the run holds no LoRA weights" in done.stderr
    assert not (project.folder / "new").exists()
    done = cesello_here("verify", "tiny", cwd=project.folder)
    assert done.returncode == 4
    assert "error[M038] the folder holds no export of cesello" in done.stderr


def test_a_signal_leaves_nothing(project: Project, warm: Path) -> None:
    before = snapshot(project.folder)
    with subprocess.Popen(
        [warm / "cesello", "export", "demo", "--merge", "new", "--rows", "4"],
        cwd=project.folder, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline().startswith("loading")
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130, errors
    assert "stopped by SIGINT" in errors
    assert snapshot(project.folder) == before
    assert not list(project.folder.glob(".new*"))


def test_options_of_a_merge_need_one(made: Project) -> None:
    for options in (("--into", "base"), ("--overwrite",), ("--gguf", "x.gguf")):
        done = cesello_here("export", "demo", *options, cwd=made.folder)
        assert done.returncode == 2
        assert f"error[C062] {options[0]} is for a merged model" in done.stderr


def test_without_a_converter_nothing_is_begun(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CESELLO_GGUF_CONVERTER", raising=False)
    monkeypatch.setenv("PATH", str(project.folder))
    done = cesello_here("export", "demo", "--merge", "new", "--gguf", "new.gguf", cwd=project.folder)
    assert done.returncode == 4
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("error[M034] llama.cpp's converter convert_hf_to_gguf.py is not here")
    assert not (project.folder / "new").exists()


def test_a_gguf_file_is_made_for_ollama(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gguf_script(project.folder / "tools" / "convert_hf_to_gguf.py")
    monkeypatch.setenv("CESELLO_GGUF_CONVERTER", str(project.folder / "tools" / "convert_hf_to_gguf.py"))
    export = ("export", "demo", "--merge", "new", "--rows", "1", "--gguf")
    inside = cesello_here(*export, "new/demo.gguf", cwd=project.folder)
    assert inside.returncode == 2
    assert "error[C063]" in inside.stderr
    said = _done(project.folder, *export, "files/demo.gguf")
    assert "ollama create demo -f files/Modelfile" in said
    made = project.folder / "files"
    weights = (project.folder / "new" / "model.safetensors").read_bytes()
    assert (made / "demo.gguf").read_bytes() == b"GGUF" + weights
    assert (made / "Modelfile").read_text() == 'FROM ./demo.gguf\nSYSTEM """Be brief."""\n'
    again = cesello_here(*export, "files/demo.gguf", "--overwrite", cwd=project.folder)
    assert again.returncode == 0, again.stderr


def test_a_converter_that_fails_leaves_the_folder_whole(project: Project) -> None:
    script = project.folder / "broken.py"
    script.write_text("raise SystemExit('Model DemoForCausalLM is not supported')\n")
    options = ("--gguf", "demo.gguf", "--gguf-converter", "broken.py")
    done = cesello_here("export", "demo", "--merge", "new", *options, cwd=project.folder)
    assert done.returncode == 4
    assert "error[M035] llama.cpp's converter failed" in done.stderr
    assert "Model DemoForCausalLM is not supported" in done.stderr
    assert not (project.folder / "demo.gguf").exists()
    assert "files     7 of 7" in _done(project.folder, "verify", "new")
