"""A small project is remembered, asked, changed and forgotten by the commands, with the kit's models."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import cesello, cesello_here
from tests.remembered import write_files

CACHE = '''"""A cache on the disk."""

import shutil


def clear_cache(folder):
    """Delete every file of the cache."""
    shutil.rmtree(folder)
'''
LOGIN = """package login

// SignIn lets a user in by password.
func SignIn(name string) bool { return name != "" }
"""
FILES = {
    "src/cache.py": CACHE,
    "src/login.go": LOGIN,
    "docs/guide.md": "# Guide\n\n## Bread\nKnead the dough, and let it rest for an hour.\n",
    ".gitignore": "secret.py\n",
    "secret.py": "PASSWORD = 'swordfish'\n",
}
PREFIX = ("--set", 'memory.embedder.document_prefix="passage: "')
ONLY_SEARCH = ("--set", "memory.reranker.engine=none")


@pytest.fixture(scope="module")
def remembered(kit_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its memory; a test works in a copy."""
    folder = tmp_path_factory.mktemp("remembered") / "project"
    write_files(folder, FILES)
    done = cesello_here("remember", ".", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "3 files new or changed (3 chunks, of which 3 embedded and 0 known), 0 unchanged, 0 forgotten\n"
        "left alone: 2 a hidden file or folder; 1 named by .gitignore, .ignore or .cesello-ignore"
        " (--skipped lists them)\n"
    )
    return folder


@pytest.fixture
def project(remembered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(remembered, tmp_path / "project"))


def said(folder: Path, *arguments: str) -> dict[str, Any]:
    """The JSON of a command that ended well."""
    done = cesello_here(*arguments, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def refused(folder: Path, status: int, *arguments: str) -> str:
    """What a command says that ended with this status."""
    done = cesello_here(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_best_passage_is_printed_as_a_model_reads_it(project: Path) -> None:
    before = contents(project)
    done = cesello("ask", "how do I delete the cache?", "--keep", "1", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    form = r"<context ([0-9a-f]{16})>\n\[1\] \(([01]\.\d\d)\) src/cache\.py:1-8\n(.*)\n</context \1>\n"
    printed = re.fullmatch(form, done.stdout, re.DOTALL)
    assert printed
    assert float(printed[2]) > 0.5
    assert printed[3] == CACHE.rstrip()
    assert contents(project) == before, "a question writes nothing"


def test_an_answer_in_json_with_filters(project: Path) -> None:
    answer = said(project, "ask", "how do I delete the cache?", "--language", "go", *ONLY_SEARCH)
    (passage,) = answer["passages"]
    assert (answer["asked"], answer["exact"]) == (3, True)
    content = FILES["src/login.go"]
    assert passage == {
        "number": 1, "score": passage["score"], "path": "src/login.go", "start_line": 1, "end_line": 4,
        "start": 0, "end": len(content), "language": "go", "kind": "function", "name": "SignIn",
        "text": content, "copies": [], "beside": [],
    }  # fmt: skip
    assert "[1] (" in answer["context"]


def test_paths_are_seen_from_the_working_folder(project: Path) -> None:
    for path in ("cache.py", "./*.py", str(project / "src" / "cache.py"), "../src/cache.py"):
        answer = said(project / "src", "ask", "the cache", "--path", path, *ONLY_SEARCH)
        assert [one["path"] for one in answer["passages"]] == ["src/cache.py"], path
    elsewhere = said(project / "src", "ask", "the cache", "--path", "src", *ONLY_SEARCH)
    assert (elsewhere["passages"], elsewhere["unfit"]) == ([], True)


@pytest.mark.parametrize("only", [("--path", "nowhere"), ("--language", "rust"), ("--kind", "class")])
def test_where_a_filter_fits_nothing_that_is_said(project: Path, only: tuple[str, str]) -> None:
    done = cesello_here("ask", "the cache", *only, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing that is remembered fits --path, --language and --kind")
    assert "go, markdown, python" in done.stdout


def test_where_nothing_is_relevant_that_is_said(project: Path) -> None:
    done = cesello_here("ask", "how do I delete the cache?", "--threshold", "0.9999", cwd=project)
    assert (done.returncode, done.stdout) == (0, "nothing relevant was found\n")


@pytest.mark.parametrize("question", ["zzz", "what is the capital of France?"])
def test_a_question_about_something_else_is_told_apart(project: Path, question: str) -> None:
    done = cesello_here("ask", question, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing relevant was found (--set memory.relevant=-1 ")
    assert said(project, "ask", question)["passages"] == []
    assert said(project, "ask", question, "--set", "memory.relevant=-1")["passages"]
    assert said(project, "ask", "how do I delete the cache?")["passages"]


def test_only_what_changed_is_embedded_again(project: Path) -> None:
    (project / "src" / "cache.py").write_text(CACHE.replace("every file", "all files"))
    done = said(project, "remember")
    assert (done["changed"], done["embedded"], done["unchanged"], done["forgotten"]) == (1, 1, 2, 0)
    (project / "docs" / "guide.md").rename(project / "docs" / "manual.md")
    done = said(project, "remember")
    assert (done["changed"], done["embedded"], done["known"], done["forgotten"]) == (1, 0, 1, 1)
    assert said(project, "memory", "status", "--files")["files"] == [
        "docs/manual.md",
        "src/cache.py",
        "src/login.go",
    ]
    assert said(project, "memory", "verify")["ok"] is True


def test_from_a_folder_below_the_same_memory_is_found(project: Path) -> None:
    assert said(project / "src", "remember", "cache.py")["unchanged"] == 1
    assert said(project / "src", "memory", "status")["roots"] == [".", "src/cache.py"]
    assert not (project / "src" / ".cesello").exists()


def test_what_is_forgotten_is_found_no_more(project: Path) -> None:
    forgotten = cesello_here("forget", "src", cwd=project).stdout
    assert forgotten.startswith("2 files forgotten\n. is still remembered")
    assert said(project, "memory", "status", "--files")["files"] == ["docs/guide.md"]
    assert (project / "src" / "cache.py").read_text() == CACHE
    assert "D041" in refused(project, 3, "forget", "src")
    assert cesello_here("forget", "--all", cwd=project).stdout == "1 file forgotten\n"
    done = cesello_here("ask", "the cache", cwd=project)
    assert done.stdout == "nothing is remembered yet: run `cesello remember .` first\n"


def test_status_says_what_is_there(project: Path) -> None:
    done = cesello_here("memory", "status", cwd=project)
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert rows.keys() == {"memory", "of", "files", "chunks", "texts", "embedder", "chunker", "index"}
    assert (rows["of"], rows["files"], rows["texts"]) == (".", "3", "3, each with a vector")
    assert "all-MiniLM-L6-v2" in rows["embedder"]
    assert rows["index"].startswith("none")


def test_another_embedder_is_refused_until_all_is_made_again(project: Path) -> None:
    for command in (["remember"], ["ask", "the cache"]):
        message = refused(project, 5, *command, *PREFIX)
        assert "error[S010]" in message
        assert "cesello memory rebuild" in message
    assert said(project, "memory", "rebuild", *PREFIX) == {"embedded": 3, "texts": 3}
    answer = said(project, "ask", "how do I delete the cache?", *PREFIX, *ONLY_SEARCH)
    assert answer["passages"][0]["path"] == "src/cache.py"
    assert "error[S010]" in refused(project, 5, "ask", "the cache")


def test_an_index_of_chroma_answers_the_same(project: Path) -> None:
    index = ("--set", "memory.exact_below=0")
    exact = said(project, "ask", "how do I delete the cache?", *ONLY_SEARCH)
    assert said(project, "memory", "status", *index)["index"] == "unbuilt"
    checked = cesello_here("memory", "verify", *index, cwd=project)
    assert "the index was never made" in checked.stdout
    assert "error[S014] the memory is whole, but not its index" in checked.stderr
    assert "delete" not in checked.stderr
    assert said(project, "memory", "rebuild", *index)["embedded"] == 0
    assert said(project, "memory", "status", *index)["index"] == "ready"
    by_index = said(project, "ask", "how do I delete the cache?", *ONLY_SEARCH, *index)
    assert by_index["exact"] is False
    assert [one["path"] for one in by_index["passages"]] == [one["path"] for one in exact["passages"]]
    assert said(project, "memory", "verify", *index)["indexed"] == 3
    assert said(project, "forget", "src", "--set", "memory.store=numpy")["elsewhere"] == []
    assert not (project / ".cesello" / "memory" / "chroma").exists()
    assert said(project, "memory", "status", *index)["index"] == "unbuilt"


def test_every_chunk_is_exported(project: Path, tmp_path: Path) -> None:
    output, victim = tmp_path / "out.jsonl", tmp_path / "victim"
    victim.write_text("precious\n")
    (tmp_path / ".out.jsonl.partial").symlink_to(victim)  # as a stranger's project may have it
    done = cesello_here("memory", "export", str(output), "--vectors", cwd=project)
    assert victim.read_text() == "precious\n"
    assert done.stdout.startswith("3 chunks in ")
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert {line["path"]: line["text"] for line in lines} == {
        path: text for path, text in FILES.items() if path not in (".gitignore", "secret.py")
    }
    assert {len(line["vector"]) for line in lines} == {384}


def test_damage_is_told_with_what_to_do(project: Path) -> None:
    file = project / ".cesello" / "memory" / "memory.sqlite3"
    file.write_bytes(file.read_bytes()[:5_000])
    for command in (["ask", "the cache"], ["remember"], ["memory", "status"], ["memory", "verify"]):
        message = refused(project, 5, *command)
        assert "error[S012] the memory's file is damaged" in message
        assert "remember" in message


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("remember",), 2, "C100"),
        (("remember", "nowhere"), 3, "D040"),
        (("forget", "nowhere"), 3, "D041"),
        (("ask", " "), 2, "C101"),
        (("ask", "x", "-k", "0"), 2, "C102"),
        (("ask", "x", "--around", "-1"), 2, "C102"),
        (("ask", "x", "--tokens", "0"), 2, "C000"),
        (("ask", "x", "--kind", "klass"), 2, "C000"),
        (("ask",), 2, "C000"),
        (("forget",), 2, "C000"),
        (("ask", "x", "--set", "memory.kep=3"), 2, "C001"),
        (("ask", "x", "--set", "memory.store=nowhere"), 2, "C0"),
        (("ask", "x", "--config", "nowhere.yaml"), 2, "C"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(
    tmp_path: Path, arguments: tuple[str, ...], status: int, code: str
) -> None:
    message = refused(tmp_path, status, *arguments)
    assert f"error[{code}" in message
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_the_file_of_settings_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "cesello.yaml").write_text("memory:\n  store: numpy\n  kepe: 3\n")
    message = refused(tmp_path, 2, "ask", "x")
    assert "cesello.yaml:3" in message
    assert '"keep"' in message
