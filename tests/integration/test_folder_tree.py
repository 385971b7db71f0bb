"""Which files of a folder are remembered: beside git, and among everything that a disk may hold."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cesello.adapters.memory.folder_tree import FolderTree
from cesello.application.remember import Remember, RememberRequest
from cesello.domain.document import SourceFile
from cesello.domain.errors import DataError
from cesello.domain.remembered import SKIPPED, FileMark, SkippedFile
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.memory import FakeVectorStore
from tests.remembered import remember_with, write_files
from tests.repository import ROOT

PATTERNS = [
    "*.log", "!keep.log", "/top.txt", "build/", "**/deep", "a/**/b.txt", "docs/*.md", "!docs/read.md",
    "*.tmp", "#comment", "\\#hash", "out", "!out/keep.txt", "a/b", "tmp/**", "[ab].c", "?.h", "space\\ ",
    "  ", "foo/*", "!foo/bar", "**/x/**", "*.[oa]", "!/a/keep.log", "/", "***", "b.txt/",
]  # fmt: skip
NAMES = [
    "keep.log", "x.log", "top.txt", "build", "deep", "b.txt", "read.md", "z.md", "a.tmp", "#comment", "#hash",
    "out", "keep.txt", "a.c", "b.c", "c.c", "a.h", "ab.h", "space ", "bar", "baz", "m.o",
]  # fmt: skip
FOLDERS = ["", "a", "a/b", "a/x", "docs", "out", "tmp", "foo", "foo/bar", "build", "deep"]


def git(folder: Path, *arguments: str) -> str:
    """What git says, with nobody's own settings."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, check=True)
    return os.fsdecode(done.stdout)


def walked(folder: Path, root: str = ".") -> tuple[list[str], Mapping[str, str]]:
    """The files that are remembered, and what is left alone with the reason."""
    files, skipped = [], {}
    for one in FolderTree(folder).walk(root):
        if isinstance(one, FileMark):
            files.append(one.path)
        else:
            skipped[one.path] = one.reason
    assert set(skipped.values()) <= SKIPPED.keys()
    return sorted(files), skipped


@pytest.mark.parametrize("repository", [True, False])
def test_ignore_files_are_followed(tmp_path: Path, repository: bool) -> None:
    write_files(
        tmp_path,
        {
            ".gitignore": "*.log\n!keep.log\n/top.txt\nbuild/\nsrc/**/gen\ndata/*\n!data/keep.csv\n",
            "a.log": "x", "keep.log": "x", "top.txt": "x", "sub/top.txt": "x", "build/x.py": "x",
            "sub/build/x.py": "x", "build.py": "x", "src/a/b/gen/x.py": "x", "src/gen.py": "x",
            "data/a.csv": "x", "data/keep.csv": "x", "sub/.gitignore": "!a.log\n*.py\n", "sub/a.log": "x",
            "sub/a.py": "x",
            "sub/b.log": "x", ".ignore": "*.csv2\n", "a.csv2": "x", ".cesello-ignore": "secret\n",
            "secret/x.py": "x", "src/.git/x.py": "x",
        },
    )  # fmt: skip
    if repository:
        (tmp_path / ".git" / "info").mkdir(parents=True)
    files, skipped = walked(tmp_path)
    assert files == [
        "build.py", "data/keep.csv", "keep.log", "src/gen.py", "sub/a.log", "sub/top.txt",
    ]  # fmt: skip
    ignored = {path for path, reason in skipped.items() if reason == "ignored"}
    assert {
        "a.log",
        "build",
        "data/a.csv",
        "secret",
        "src/a/b/gen",
        "sub/a.py",
        "sub/b.log",
        "top.txt",
    } <= ignored


def test_the_rules_of_the_repository_hold_below_its_top(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            ".gitignore": "outside.py\n",
            "repo/.git/info/exclude": "private.py\n", "repo/.gitignore": "*.log\n/app/gen.py\n",
            "repo/app/a.py": "x", "repo/app/a.log": "x", "repo/app/gen.py": "x", "repo/app/private.py": "x",
            "repo/app/outside.py": "x", "repo/app/deep/gen.py": "x",
        },
    )  # fmt: skip
    expected = ["app/a.py", "app/deep/gen.py", "app/outside.py"]
    assert walked(tmp_path / "repo")[0] == expected
    assert walked(tmp_path / "repo", "app")[0] == expected
    assert walked(tmp_path / "repo" / "app")[0] == ["a.py", "deep/gen.py", "outside.py"]
    assert walked(tmp_path / "repo" / "app", "..")[0] == ["a.py", "deep/gen.py", "outside.py"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    top=st.lists(st.sampled_from(PATTERNS), max_size=6),
    inner=st.lists(st.sampled_from(PATTERNS), max_size=4),
    exclude=st.lists(st.sampled_from(PATTERNS), max_size=2),
    paths=st.sets(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES)), min_size=5, max_size=40),
)
def test_the_same_files_as_git(
    tmp_path_factory: pytest.TempPathFactory,
    top: list[str], inner: list[str], exclude: list[str], paths: set[tuple[str, str]],
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("tree")
    git(folder, "init", "--quiet")
    (folder / ".git" / "info" / "exclude").write_text("\n".join(exclude))
    (folder / "a").mkdir()
    (folder / ".gitignore").write_text("\n".join(top) + "\n")
    (folder / "a" / ".gitignore").write_text("\r\n".join(inner))
    for place, name in sorted(paths, key=lambda one: (-len(one[0]), one)):
        file = folder / place / name
        if not file.exists() and all(parent.is_dir() or not parent.exists() for parent in file.parents):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("x")
    listed = git(folder, "ls-files", "-co", "--exclude-standard", "-z").split("\0")
    expected = sorted(path for path in listed if path and not Path(path).name.startswith("."))
    assert sorted(walked(folder)[0]) == expected


def test_what_is_not_worth_it_is_left_alone_and_told_why(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "app.py": "x = 1\n", "node_modules/a/index.js": "x", "venv/x.py": "x", "env/pyvenv.cfg": "",
            "env/x.py": "x", "cache/CACHEDIR.TAG": "x", "cache/x.py": "x", ".hidden/x.py": "x",
            ".env": "KEY=1",
            ".github/ci.yml": "x", "app.min.js": "x", "app.js.map": "x", "poetry.lock": "x", "go.sum": "x",
            "a_pb2.py": "x",
            "empty.py": "", "large.py": "x" * 1_000_001, "__pycache__/app.pyc": "x", "vendor/lib.go": "x",
        },
    )  # fmt: skip
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(tmp_path)  # the name of a socket may have a hundred bytes
        server.bind("socket")
        os.chdir(here)
        files, skipped = walked(tmp_path)
    assert files == [".github/ci.yml", "app.py"]
    assert skipped == {
        ".env": "hidden", ".hidden": "hidden", "__pycache__": "vendored", "a_pb2.py": "generated",
        "app.js.map": "generated", "app.min.js": "generated", "cache": "vendored", "empty.py": "empty",
        "env": "vendored", "go.sum": "generated", "large.py": "large", "node_modules": "vendored",
        "pipe": "special", "poetry.lock": "generated", "socket": "special", "vendor": "vendored",
        "venv": "vendored",
    }  # fmt: skip


def test_links_are_left_alone(tmp_path: Path) -> None:
    write_files(tmp_path, {"outside/secret.py": "x", "project/a.py": "x", "project/sub/b.py": "x"})
    project = tmp_path / "project"
    for name, target in {
        "out": "../outside", "out.py": "../outside/secret.py", "loop": ".", "sub/up": "..",
        "nothing": "nowhere", "circle": "circle", "twice": "sub", "file.py": "a.py",
        "absolute.py": "/etc/passwd",
    }.items():  # fmt: skip
        (project / name).symlink_to(target)
    files, skipped = walked(project)
    assert files == ["a.py", "sub/b.py"]
    links = {"out", "out.py", "loop", "sub/up", "nothing", "circle", "twice", "file.py", "absolute.py"}
    assert skipped == dict.fromkeys(links, "link")


def test_a_link_that_is_named_is_followed(tmp_path: Path) -> None:
    write_files(tmp_path, {"outside/secret.py": "x", "outside/sub/b.py": "x", "project/a.py": "x"})
    project = tmp_path / "project"
    (project / "out").symlink_to("../outside")
    (project / "out.py").symlink_to("../outside/secret.py")
    (tmp_path / "outside" / "again").symlink_to(".")
    assert walked(project, "out") == (["out/secret.py", "out/sub/b.py"], {"out/again": "link"})
    tree = FolderTree(project)
    (mark,) = tree.walk("out.py")
    assert isinstance(mark, FileMark)
    assert tree.read(mark) == SourceFile("out.py", b"x")
    (tmp_path / "outside" / "secret.py").unlink()
    assert walked(project, "out.py") == ([], {"out.py": "unreadable"})


@pytest.mark.parametrize(
    "name", ["a b.py", "a\nb.py", "🙂.py", "-rf.py", "a'\"$(x).py", b"latin-\xe4\xff.py"]
)
def test_strange_names_come_back(tmp_path: Path, name: str | bytes) -> None:
    with open(os.path.join(os.fsencode(tmp_path), os.fsencode(name)), "wb") as file:
        file.write(b"x = 1\n")
    tree = FolderTree(tmp_path)
    (mark,) = tree.walk(".")
    assert isinstance(mark, FileMark)
    assert os.fsencode(mark.path) == os.fsencode(name)
    source = tree.read(mark)
    assert source == SourceFile(mark.path, b"x = 1\n")
    assert tree.named(mark.path) == mark.path


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x7fELF\x00\x01", "binary"),
        (b"x" * 8_000 + b"\0", "binary"),
        (b"// Code generated by protoc-gen-go. DO NOT EDIT.\n", "generated"),
        (b"/* @generated */\n", "generated"),
        (b"x = 1\n  # @Generated by a program\n", "generated"),
        (b"<!-- code generated by x; do not edit -->\n", "generated"),
        (b'PATTERN = "@generated|code generated .* do not edit"  # @generated\n', None),
        (b"x = 1\n" * 400 + b"# @generated\n", None),
        (b"a=1;" * 5_000, "generated"),
        ("größe\n".encode("utf-16"), None),
        ("größe\n".encode("latin-1"), None),
        (b"x = 1\r\ny = 2\r", None),
        (b"x" * 4_000 + b"\n", None),
    ],
)
def test_what_reading_tells(tmp_path: Path, content: bytes, reason: str | None) -> None:
    (tmp_path / "a.py").write_bytes(content)
    tree = FolderTree(tmp_path)
    (mark,) = tree.walk(".")
    assert isinstance(mark, FileMark)
    expected = SkippedFile("a.py", reason) if reason else SourceFile("a.py", content)
    assert tree.read(mark) == expected


@pytest.mark.parametrize("what", ["longer", "shorter", "touched", "gone", "pipe", "folder"])
def test_a_file_that_changes_meanwhile_is_not_taken_for_what_it_was(tmp_path: Path, what: str) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    tree = FolderTree(tmp_path)
    (mark,) = tree.walk(".")
    assert isinstance(mark, FileMark)
    match what:
        case "longer" | "shorter":
            file.write_text("x = 1234\n" if what == "longer" else "x")
        case "touched":
            os.utime(file, ns=(1, 1))
        case _:
            file.unlink()
            if what == "pipe":
                os.mkfifo(file)
            elif what == "folder":
                file.mkdir()
    source = tree.read(mark)
    assert isinstance(source, SkippedFile)
    assert source.reason == {"gone": "unreadable", "folder": "unreadable"}.get(what, "changed")


def test_a_file_that_is_named_is_remembered_whatever_is_said_of_its_kind(tmp_path: Path) -> None:
    write_files(tmp_path, {"poetry.lock": "x", "empty.py": "", "a.py": "x"})
    assert walked(tmp_path, "poetry.lock") == (["poetry.lock"], {})
    assert walked(tmp_path, "empty.py") == ([], {"empty.py": "empty"})
    assert walked(tmp_path, "gone.py") == ([], {"gone.py": "unreadable"})


class Project:
    """A memory of real files."""

    def __init__(self, folder: Path) -> None:
        self.store = FakeChunkStore()
        self.remember: Remember = remember_with(FolderTree(folder), self.store, FakeVectorStore())

    def files(self, *paths: str) -> list[str]:
        """What is remembered after these were named."""
        self.skipped = {one.path: one.reason for one in self.remember(RememberRequest(paths)).skipped}
        return sorted(self.store.files())


@pytest.mark.parametrize("kept_out", ["gen", ".hid", "vendor", "sub/gen"])
@pytest.mark.parametrize("repository", [True, False])
def test_what_is_named_stays_remembered_whatever_keeps_it_out(
    tmp_path: Path, kept_out: str, repository: bool
) -> None:
    write_files(
        tmp_path,
        {".gitignore": "gen/\n*.log\n", "a.py": "x", f"{kept_out}/b.py": "x", f"{kept_out}/b.log": "x"},
    )
    if repository:
        (tmp_path / ".git").mkdir()
    project = Project(tmp_path)
    assert project.files(".") == ["a.py"]
    assert kept_out in project.skipped
    both = ["a.py", f"{kept_out}/b.py"]
    assert project.files(kept_out) == sorted(both)
    for paths in ((), (".",), (kept_out,), (".", kept_out)):
        assert project.files(*paths) == sorted(both)
        assert kept_out not in project.skipped
        assert project.skipped[f"{kept_out}/b.log"] == "ignored"
    (tmp_path / kept_out / "b.py").unlink()
    assert project.files(".") == ["a.py"]


def test_what_one_walk_finds_another_has_not_left_alone(tmp_path: Path) -> None:
    """A repository in a folder with rules of its own: named, it has only its own."""
    write_files(tmp_path, {".gitignore": "*.log\n", "lib/.git/HEAD": "x", "lib/a.log": "x", "b.log": "x"})
    project = Project(tmp_path)
    assert project.files(".") == []
    assert project.files("lib") == project.files() == ["lib/a.log"]
    assert {path for path, reason in project.skipped.items() if reason == "ignored"} == {"b.log"}


def test_a_file_that_is_named_stays_remembered(tmp_path: Path) -> None:
    write_files(tmp_path, {"poetry.lock": "x", ".env": "x", "a.py": "x"})
    project = Project(tmp_path)
    assert project.files(".env", "poetry.lock") == [".env", "poetry.lock"]
    assert project.files(".") == [".env", "a.py", "poetry.lock"]
    assert ".env" not in project.skipped
    assert "poetry.lock" not in project.skipped


def test_files_beside_the_memory_are_forgotten_when_they_are_gone(tmp_path: Path) -> None:
    write_files(tmp_path, {"sub/x.py": "x", "y.py": "x", "sub/z.py": "x"})
    project = Project(tmp_path / "sub")
    assert project.files("..") == ["../y.py", "x.py", "z.py"]
    (tmp_path / "sub" / "x.py").unlink()
    (tmp_path / "y.py").unlink()
    assert project.files() == ["z.py"]


def test_what_was_named_and_is_not_there_is_not_forgotten(tmp_path: Path) -> None:
    write_files(tmp_path, {"src/a.py": "x", "b.py": "x", "lib/c.py": "x"})
    project = Project(tmp_path)
    everything = project.files("src", "b.py", ".")
    (tmp_path / "src").rename(tmp_path / ".away")
    (tmp_path / "b.py").unlink()
    assert project.files() == everything
    assert project.skipped == {".away": "hidden", "src": "unreadable", "b.py": "unreadable"}
    (tmp_path / ".away").rename(tmp_path / "src")
    (tmp_path / "src" / "a.py").unlink()
    assert project.files() == ["b.py", "lib/c.py"], "the folder is there and the file is not"


def test_names_are_relative_to_the_folder(tmp_path: Path) -> None:
    write_files(tmp_path, {"project/src/a.py": "x", "lib/b.py": "x"})
    tree = FolderTree(tmp_path / "project")
    assert (
        tree.named("src/")
        == tree.named("src/../src")
        == tree.named(str(tmp_path / "project" / "src"))
        == "src"
    )
    assert tree.named(".") == tree.named("") == "."
    assert tree.named("../lib/b.py") == "../lib/b.py"
    assert [one.path for one in tree.walk("../lib")] == ["../lib/b.py"]
    assert tree.relative("gone.py") == "gone.py"
    with pytest.raises(DataError) as refused:
        tree.named("nowhere")
    assert (refused.value.code, refused.value.where) == ("D040", "nowhere")


def test_a_deep_folder_is_walked(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 500)
    write_files(tmp_path, {f"{deep}/a.py": "x", "z.py": "x"})
    assert walked(tmp_path)[0] == [f"{deep}/a.py", "z.py"]


class Listening:
    """Counts what is told of changes, in a thread of its own."""

    def __init__(self, folder: Path, roots: Sequence[str] = (".",)) -> None:
        self._folder, self._roots, self._ended = folder, roots, threading.Event()
        self.told = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        for _ in FolderTree(self._folder).changes(self._roots, self._ended.is_set):
            self.told.set()

    def __enter__(self) -> Listening:
        self._thread.start()
        if self.told.wait(60):  # what changed before the watch was up is told of, too
            return self
        self.__exit__()
        raise AssertionError("nothing was told")

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def hears(self, path: str, seconds: float) -> bool:
        """Whether a change of a file is told."""
        self.told.clear()
        (self._folder / path).write_text("changed\n")
        return self.told.wait(seconds)


def test_only_changes_of_what_is_remembered_are_told(tmp_path: Path) -> None:
    """The memory lies among the files, and is written after each of their changes."""
    unseen = [
        ".cesello/memory.sqlite3",
        "kept/chroma/x.sqlite3",
        "kept/y.py",
        "node_modules/z.js",
        "b.log",
        ".env",
    ]
    seen = ["a.py", ".gitignore", "new/c.py", ".github/ci.yml"]
    write_files(
        tmp_path, dict.fromkeys([*unseen, *seen], "x") | {"kept/.gitignore": "*\n", ".gitignore": "*.log\n"}
    )
    with Listening(tmp_path) as listening:
        assert [path for path in unseen if listening.hears(path, 1)] == []
        assert [path for path in seen if listening.hears(path, 60)] == seen


def test_a_file_that_is_named_may_be_replaced_deleted_and_written_again(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.py": "x", "b.py": "x", "src/c.py": "x"})
    with Listening(tmp_path, ["a.py", "src"]) as listening:
        assert not listening.hears("b.py", 1)
        for change in (
            lambda: (tmp_path / "b.py").replace(tmp_path / "a.py"),  # as many editors save
            lambda: (tmp_path / "a.py").write_text("y"),
            lambda: (tmp_path / "a.py").unlink(),
            lambda: (tmp_path / "a.py").write_text("z"),
            lambda: (tmp_path / "src" / "c.py").unlink(),
        ):
            listening.told.clear()
            change()
            assert listening.told.wait(60)


@pytest.mark.parametrize(
    ("root", "way"), [("src", "moved"), ("src", "deleted"), ("src/c.py", "moved"), ("src/c.py", "missed")]
)
def test_a_folder_that_takes_the_place_of_another_is_watched(tmp_path: Path, root: str, way: str) -> None:
    write_files(tmp_path, {"src/c.py": "x"})
    with Listening(tmp_path, [root]) as listening:
        if way == "moved":
            (tmp_path / "src").rename(tmp_path / "src.old")
        else:
            shutil.rmtree(tmp_path / "src")
        while way == "missed" and listening.told.wait(2):  # nothing is there that could be watched
            listening.told.clear()
        write_files(tmp_path, {"src/c.py": "y"})
        while listening.told.wait(2):  # until all is told of that
            listening.told.clear()
        assert listening.hears("src/c.py", 60)


STRANGER = """
import os, sys
from pathlib import Path
from cesello.adapters.memory.folder_tree import FolderTree
from cesello.domain.remembered import FileMark

tree = FolderTree(Path(sys.argv[1]))
if os.getuid() == 0:
    os.setgid(60123)
    os.setuid(60123)
for one in tree.walk("."):
    one = tree.read(one) if isinstance(one, FileMark) else one
    print(one.path, getattr(one, "reason", "read"))
"""


def test_what_may_not_be_read_is_left_alone(tmp_path: Path) -> None:
    """By who may not read it: root gives up its powers for that."""
    folder = tmp_path / "project"
    write_files(folder, {"a.py": "x", "closed.py": "x", "closed/b.py": "x", "open/c.py": "x"})
    (folder / "closed.py").chmod(0)
    (folder / "closed").chmod(0)
    for parent in (folder, *folder.parents[:4]) if os.getuid() == 0 else ():
        parent.chmod(parent.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    (folder / "closed").chmod(0o700)
    said = dict(line.split() for line in done.stdout.splitlines())
    assert (said, done.stderr) == (
        {"a.py": "read", "closed.py": "unreadable", "closed": "unreadable", "open/c.py": "read"},
        "",
    )
