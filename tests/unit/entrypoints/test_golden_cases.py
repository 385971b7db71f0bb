"""Files of golden cases, and those that come with cesello."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cesello.domain.errors import CeselloError
from cesello.entrypoints.golden_cases import SHIPPED, cases_beside, read_cases, shipped_cases

CASE = "{prompt: 'two?', passes: ['2'], fails: ['3']}"


def read(tmp_path: Path, text: str | bytes, name: str = "x.cases.yaml") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_yaml_and_json_lines_say_the_same(tmp_path: Path) -> None:
    line = json.dumps({"prompt": "two?", "passes": ["2"], "fails": ["3"]})
    yaml = read_cases(read(tmp_path, f"- {CASE}\n- {CASE}\n"))
    lines = read_cases(read(tmp_path, f"{line}\n\n{line}\n", "x.jsonl"))
    assert yaml.cases == lines.cases
    assert [case.name for case in yaml.cases] == ["case 1", "case 2"]


def test_a_file_can_hold_the_options_its_cases_are_for(tmp_path: Path) -> None:
    file = read_cases(read(tmp_path, f"reward: {{pattern: '[0-9]'}}\ncases:\n  - {CASE}\n"))
    assert file.options == {"pattern": "[0-9]"}
    assert len(file.cases) == 1


@pytest.mark.parametrize(
    ("text", "code", "place", "said"),
    [
        ("", "C071", "", "golden cases are a list"),
        ("[]", "C071", "", "holds no case"),
        ("text", "C071", "", "golden cases are a list"),
        (f"case: {CASE}", "C071", "", "the keys cases and reward"),
        (f"reward: 3\ncases: [{CASE}]", "C071", "", "the keys cases and reward"),
        ("cases: 3", "C071", "", "golden cases are a list"),
        (f"- {CASE}\n- prompt: x\n", "C071", ":2:3", "case 2: passes is missing"),
        (f"- {CASE}\n- 3\n", "C071", ":2:3", "case 2: a case is a map"),
        ("- {prompt: 'a', prompt: 'b'}", "C002", ":1", "given twice"),
        ("- !!python/object:os.system {}", "C029", ":1", "tag"),
        ("- [", "C026", ":1", "YAML"),
        (b"\xff\xfe", "C071", "", "cannot be read"),
        (b"#" * (2**20 + 1), "C071", "", "too large"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, text: str | bytes, code: str, place: str, said: str
) -> None:
    path = read(tmp_path, text)
    with pytest.raises(CeselloError) as caught:
        read_cases(path)
    assert caught.value.exit_status == 2
    assert caught.value.code == code
    assert f"{path}{place}" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("line", ["{", "[" * 100_000, "\ud800"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    good = json.dumps({"prompt": "two?", "passes": ["2"], "fails": ["3"]})
    path = read(tmp_path, f"{good}\n{line}\n".encode("utf-8", "replace"), "x.jsonl")
    with pytest.raises(CeselloError, match=r"x\.jsonl:2 ") as caught:
        read_cases(path)
    assert caught.value.code == "C071"


@pytest.mark.parametrize(("name", "code"), [("nothing.cases.yaml", "C073"), (".", "C071")])
def test_a_file_is_needed(tmp_path: Path, name: str, code: str) -> None:
    with pytest.raises(CeselloError) as caught:
        read_cases(tmp_path / name)
    assert (caught.value.code, caught.value.exit_status) == (code, 2)


def test_cases_are_beside_their_module(tmp_path: Path) -> None:
    assert cases_beside("pack.mine", tmp_path) == tmp_path / "pack" / "mine.cases.yaml"


@pytest.mark.parametrize("path", sorted(SHIPPED.iterdir()), ids=lambda path: path.name)
def test_what_comes_with_cesello_can_be_read(path: Path) -> None:
    kind = path.name.removesuffix(".cases.yaml")
    assert shipped_cases(kind) == path
    assert read_cases(path).cases


def test_not_every_reward_has_some() -> None:
    assert shipped_cases("judge") is None
