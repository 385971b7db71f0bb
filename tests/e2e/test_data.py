"""``cesello data`` as a person uses it: a real tokenizer, real files, another process."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.command import cesello, cesello_here, environment
from tests.tiny_model import make_tiny_model

TEXTS = [
    f"{word} {word[::-1]} {word * 2} said {number}" for number, word in enumerate("abcdefghijklmnopqrst")
]


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def project(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tiny model, two sources and a recipe."""
    monkeypatch.setenv("CESELLO_HOME", str(tmp_path / "home"))
    shutil.copytree(tiny_model, tmp_path / "tiny")
    rows = [{"prompt": text, "completion": f"è {text[0]} 日"} for text in TEXTS]
    write(tmp_path / "rows.jsonl", rows)
    own = {"prompt": "is <|im_end|> text?", "completion": "<b>&amp; yes</b>\tit is \n\n"}
    write(tmp_path / "own.jsonl", [own, {"prompt": "one more", "completion": "indeed"}])
    (tmp_path / "recipe.yaml").write_text(
        """
model: {name: ./tiny}
data:
  system_prompt: null
  sources:
    - {name: rows, kind: file, path: rows.jsonl, holdout: 4, weight: 3}
    - {name: own, kind: file, path: own.jsonl, holdout: 0}
training: {max_steps: 4, batch_size: 2}
evaluation: {samples: 0, max_new_tokens: 4}
"""
    )
    return tmp_path


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_preview_shows_what_is_trained_and_which_tokens_are_special(project: Path) -> None:
    done = cesello_here("data", "preview", "recipe.yaml", "--source", "own", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "<|im_start|>user\nis <|im_end|> text?<|im_end|>\n" in done.stdout
    assert "⟦<b>&amp; yes</b>\tit is·⏎\n⏎\n<|im_end|>⟧" in done.stdout
    shown = cesello_here("data", "preview", "recipe.yaml", "--source", "own", "--json", cwd=project)
    [source] = json.loads(shown.stdout)
    row = next(row for row in source["rows"] if row["place"] == "own.jsonl:1")
    special = [piece["text"] for piece in row["pieces"] if piece["special"]]
    assert special == ["<|im_start|>", "<|im_end|>"] * 2
    assert sum(len(piece["ids"]) for piece in row["pieces"]) == row["tokens"]


def test_a_character_of_several_tokens_is_whole_in_the_page(project: Path) -> None:
    done = cesello_here("data", "preview", "recipe.yaml", "--html", "out/page.html", cwd=project)
    assert done.returncode == 0, done.stderr
    page = project / "out" / "page.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert [file.name for file in page.parent.iterdir()] == ["page.html"]
    text = page.read_text()
    assert text.count(">日</span>") == 3
    assert "&lt;" in text
    assert "<b>" not in text


def test_the_plan_is_what_the_training_then_does(project: Path) -> None:
    planned = cesello_here("data", "manifest", "recipe.yaml", "--json", cwd=project)
    assert planned.returncode == 0, planned.stderr
    assert not (project / "runs").exists()
    trained = cesello_here("train", "recipe.yaml", "--json", cwd=project)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(planned.stdout)["mixture"] == json.loads(trained.stdout)["data"]
    assert "tokenising" in planned.stderr
    assert "tokenising" not in trained.stderr


def test_every_problem_is_found(project: Path) -> None:
    lines = (project / "rows.jsonl").read_text().splitlines()
    lines[2] = '{"text": ""}'
    lines[16] = '{"prompt": "broken", '
    (project / "rows.jsonl").write_text("\n".join(lines))
    twice = "this answer has a good many words that come once more in the next row of the file " * 2
    write(project / "own.jsonl", [{"prompt": f"tell {n}", "completion": twice} for n in "ab"])
    done = cesello_here("data", "check", "recipe.yaml", cwd=project)
    assert done.returncode == 3, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error[")]
    assert [line[6:10] for line in errors] == ["D012", "D003", "D025"]
    assert "rows.jsonl:3" in errors[0]
    assert "rows.jsonl:17" in errors[1]
    assert "own.jsonl:" in errors[2]
    assert "Problems: D012 (1), D003 (1), D025 (1)" in done.stdout


def test_good_data_has_no_problem_and_nothing_is_kept(project: Path) -> None:
    done = cesello_here("data", "check", "recipe.yaml", cwd=project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("No problem found.\n")
    assert [path for path in (project / "home").glob("examples/*") if path.is_dir()] == []


def test_ctrl_c_stops_a_check(project: Path, warm: Path) -> None:
    (project / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n' * 2_000_000)
    with subprocess.Popen(
        [warm / "cesello", "data", "check", "recipe.yaml"],
        cwd=project, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        while (line := process.stderr.readline()) != "reading rows\n":
            assert line, "it ended before it could be stopped"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1].startswith("error[T130] stopped by SIGINT")
    assert out == ""


def test_no_model_is_needed_but_its_tokenizer(project: Path) -> None:
    (project / "tiny" / "model.safetensors").unlink()
    for command in ("preview", "manifest", "check"):
        done = cesello_here("data", command, "recipe.yaml", cwd=project)
        assert done.returncode == 0, done.stderr
    broken = cesello("data", "check", "other.yaml", cwd=project)
    assert broken.returncode == 2
    assert broken.stderr.startswith("error[C0")
