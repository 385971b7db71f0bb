"""Data inside packages: of the offline kit, or installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.data.package_source import Join, PackageSource
from cesello.domain.errors import DataError
from cesello.domain.row_shapes import to_conversation
from cesello.domain.source import SourceRow

QUESTIONS = [{"id": f"q{number}", "question": f"what is {number}?"} for number in range(3)]
ANSWERS = [{"id": "q2", "answer": "two"}, {"id": "q0", "answer": "zero"}]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write_package(folder: Path) -> None:
    (folder / "data" / "answers").mkdir(parents=True)
    (folder / "data" / "q.json").write_text(lines(QUESTIONS))
    (folder / "data" / "answers" / "q.json").write_text(lines(ANSWERS))
    (folder / "data" / "more.jsonl").write_text(lines([{"id": "m"}]))


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A kit that holds the package ``some-data``, and a file beside it that is nobody's business."""
    write_package(tmp_path / "kit" / "some-data" / "some_data")
    (tmp_path / "kit" / "some-data" / "some_data.json").write_text("{}")
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    return tmp_path / "kit"


def source(kit: Path, *files: str, join: Join | None = None) -> PackageSource:
    return PackageSource("functions", "some-data", files, join, kit)


def test_files_are_read_in_their_order(kit: Path) -> None:
    rows = list(source(kit, "data/more.jsonl", "data/q.json").rows())
    assert [row.values["id"] for row in rows] == ["m", "q0", "q1", "q2"]
    assert rows[1].place == "some-data/data/q.json:1"


def joined(kit: Path) -> list[SourceRow]:
    return list(source(kit, "data/q.json", join=Join("data/answers", "id")).rows())


def test_answers_are_joined_and_questions_without_one_come_as_they_are(kit: Path) -> None:
    rows = joined(kit)
    assert [dict(row.values) for row in rows] == [
        {"id": "q0", "question": "what is 0?", "answer": "zero"},
        {"id": "q1", "question": "what is 1?"},
        {"id": "q2", "question": "what is 2?", "answer": "two"},
    ]
    assert [row.place for row in rows] == [f"some-data/data/q.json:{line}" for line in (1, 2, 3)]


def test_what_an_unanswered_question_lacks_is_said_of_its_line(kit: Path) -> None:
    with pytest.raises(DataError) as caught:
        to_conversation(joined(kit)[1], "prompt_completion", {"prompt": "question", "completion": "answer"})
    assert (caught.value.code, caught.value.where) == ("D011", "some-data/data/q.json:2")


def test_a_question_without_the_key_has_no_answer(kit: Path) -> None:
    (kit / "some-data" / "some_data" / "data" / "q.json").write_text('{"question": "who?"}\n')
    assert [dict(row.values) for row in joined(kit)] == [{"question": "who?"}]


@pytest.mark.parametrize(
    ("answers", "what", "got"),
    [
        ([*ANSWERS, {"answer": "two"}], 'has no "id"', "columns answer"),
        ([*ANSWERS, {"id": None, "answer": "two"}], 'has no "id"', "columns answer, id"),
        (
            [*ANSWERS, {"id": "q2", "answer": "2"}],
            'the same "id"',
            '"q2", as in some-data/data/answers/q.json:1',
        ),
    ],
)
def test_an_answer_of_no_question_or_of_one_that_has_one(
    kit: Path, answers: list[dict[str, Any]], what: str, got: str
) -> None:
    (kit / "some-data" / "some_data" / "data" / "answers" / "q.json").write_text(lines(answers))
    with pytest.raises(DataError) as caught:
        joined(kit)
    assert (caught.value.code, caught.value.where) == ("D003", "some-data/data/answers/q.json:3")
    assert (caught.value.got, what in caught.value.what) == (got, True)
    assert caught.value.fix


@pytest.mark.parametrize(
    "file",
    [
        "../../../secret.json",
        "../some_data.json",
        "data/../../../../secret.json",
        "data/nothing.json",
        "data",
    ],
)
def test_what_is_not_inside_the_package_is_not_here(kit: Path, file: str) -> None:
    with pytest.raises(DataError) as caught:
        list(source(kit, file).rows())
    assert (caught.value.code, caught.value.where) == ("D001", 'source "functions"')
    assert file in caught.value.what
    assert "cesello kit install" in str(caught.value.fix)


def test_an_absolute_path_and_a_link_lead_nowhere_either(kit: Path) -> None:
    secret = kit.parent / "secret.json"
    (kit / "some-data" / "some_data" / "link.json").symlink_to(secret)
    for file in (str(secret), "link.json"):
        with pytest.raises(DataError, match="D001"):
            list(source(kit, file).rows())


def test_an_answer_file_that_is_missing_is_named(kit: Path) -> None:
    with pytest.raises(DataError, match=r"D001.*data/answers/more\.jsonl"):
        list(source(kit, "data/more.jsonl", join=Join("data/answers", "id")).rows())


def test_a_join_without_a_match_adds_nothing(kit: Path) -> None:
    (kit / "some-data" / "some_data" / "data" / "answers" / "q.json").write_text('{"id": "z"}')
    assert [dict(row.values) for row in joined(kit)] == QUESTIONS


def test_a_key_that_is_no_plain_value_is_named(kit: Path) -> None:
    (kit / "some-data" / "some_data" / "data" / "q.json").write_text('{"id": ["q0"]}')
    with pytest.raises(DataError, match=r"D003.*some-data/data/q\.json:1"):
        joined(kit)


def test_the_identity_follows_the_files_and_what_is_joined(kit: Path) -> None:
    join = Join("data/answers", "id")
    plain, joined = source(kit, "data/q.json").identity, source(kit, "data/q.json", join=join).identity
    assert plain == source(kit, "data/q.json").identity
    (kit / "some-data" / "some_data" / "data" / "answers" / "q.json").write_text('{"id": "z"}')
    assert source(kit, "data/q.json").identity == plain
    assert len({plain, joined, source(kit, "data/q.json", join=join).identity}) == 3
    with pytest.raises(DataError, match="D001"):
        _ = source(kit, "data/nothing.json").identity


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        (b'{"id": 1}\n{"id"\n', "D003", "some-data/data/q.json:2"),
        ('{"id": "é"}\n'.encode("latin-1"), "D003", "some-data/data/q.json"),
    ],
)
def test_a_broken_file_is_named_as_a_person_knows_it(
    kit: Path, content: bytes, code: str, where: str
) -> None:
    (kit / "some-data" / "some_data" / "data" / "q.json").write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(source(kit, "data/q.json").rows())
    assert (caught.value.code, caught.value.where) == (code, where)


def install(folder: Path, *, record: str) -> None:
    information = folder / "some_data-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: some-data\nVersion: 1.0\n")
    (information / "RECORD").write_text(record)


def test_an_installed_package_serves_without_a_kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    write_package(site / "some_data")
    (site / "some_data" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.json").write_text('{"secret": 1}')
    install(site, record="some_data/data/q.json,,\n../other/x.json,,\nsome_data-1.0.dist-info/RECORD,,\n")
    monkeypatch.syspath_prepend(str(site))
    assert len(list(source(tmp_path / "no-kit", "data/q.json").rows())) == 3
    assert "some_data" not in sys.modules
    with pytest.raises(DataError, match="D001"):
        list(source(tmp_path / "no-kit", "other/x.json").rows())


def test_a_package_that_is_nowhere(tmp_path: Path) -> None:
    made = source(tmp_path, "data/q.json")
    with pytest.raises(DataError, match=r"D001.*pip install --no-deps some-data"):
        list(made.rows())
    assert (made.name, made.origin) == ("functions", "package some-data: data/q.json")
