from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cesello.adapters.kit.folder_store import FolderKitStore
from cesello.adapters.kit.wheel_preparer import WheelPreparer
from cesello.application.install_kit import InstallKit
from cesello.application.verify_kit import VerifyKit
from cesello.domain.errors import Interrupted
from cesello.domain.kit import PackagePin, Preparation
from cesello.entrypoints.cli.kit import kit
from cesello.entrypoints.cli.kit_progress import TerminalProgress
from cesello.entrypoints.kit_wiring import Kit, build_kit
from tests.fakes.kit import DATA, MODEL, FakeConverter, FakeDownloader, data_item, model_item


class Terminal:
    """The commands on a small kit whose index and converter are fakes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.downloader = FakeDownloader({"words": DATA, "tiny": MODEL})

    def build(self, home: Path) -> Kit:
        items, store = (data_item(), model_item()), FolderKitStore(home)
        preparer = WheelPreparer({Preparation.GGUF: FakeConverter})
        return Kit(home, InstallKit(items, store, self.downloader, preparer), VerifyKit(items, store))

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(kit, arguments)

    def json(self, *arguments: str) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.run(*arguments, "--json").stdout)
        assert parsed["home"] == str(self.home)
        return parsed


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal(tmp_path / "home")
    monkeypatch.setenv("CESELLO_HOME", str(made.home))
    monkeypatch.setattr("cesello.entrypoints.cli.kit.build_kit", made.build)
    return made


def test_installing_says_what_was_done_and_is_quiet_away_from_a_terminal(terminal: Terminal) -> None:
    first = terminal.run("install")
    assert (first.exit_code, first.stderr) == (0, "")
    assert [line.split() for line in first.stdout.splitlines()[1:]] == [
        ["words", "installed", "0.0", "MB", "words", "a", "test"],
        ["tiny", "installed", "0.0", "MB", "some-org/tiny", "a", "test"],
    ]
    assert [line.split()[1] for line in terminal.run("install").stdout.splitlines()[1:]] == ["kept", "kept"]


def test_repairing_names_the_file_and_its_sums(terminal: Terminal) -> None:
    terminal.run("install")
    file = terminal.home / "kit" / "words" / "a.json"
    file.write_text("[1]")
    _, words, tiny, mended = terminal.run("install").stdout.splitlines()
    assert words.split()[:2] == ["words", "repaired"]
    assert tiny.split()[:2] == ["tiny", "kept"]
    sums = [f"sha256 {sha256(content).hexdigest()}" for content in (b"[1]", b"{}")]
    assert mended == (
        f"mended: a file of the offline kit is corrupted: {file}, got {sums[0]}, expected {sums[1]}"
    )


def test_installing_as_json_gives_outcomes_and_what_was_found(terminal: Terminal) -> None:
    terminal.run("install")
    file = terminal.home / "kit" / "words" / "a.json"
    file.unlink()
    words, tiny = terminal.json("install")["items"]
    assert (words["id"], words["outcome"], tiny["outcome"]) == ("words", "repaired", "kept")
    assert words["found"][0]["file"] == str(file)
    assert tiny["repository"] == "some-org/tiny"
    assert tiny["found"] == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_installation_says_how_to_go_on(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    def stopped(pin: PackagePin, to: Path, advance: Callable[[int], None]) -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise AttributeError("as an import that was stopped halfway") from None

    before = signal.getsignal(number)
    monkeypatch.setattr(terminal.downloader, "download", stopped)
    error = terminal.run("install").exception
    assert isinstance(error, Interrupted)
    assert error.status == status
    assert str(error).endswith("the items that were done are kept · run `cesello kit install` again")
    assert signal.getsignal(number) == before


def test_listing_needs_no_installation(terminal: Terminal) -> None:
    listed = terminal.run("list")
    assert listed.exit_code == 0
    assert [line.split()[1] for line in listed.stdout.splitlines()[1:3]] == ["absent", "absent"]
    assert listed.stdout.splitlines()[-1] == f"under {terminal.home}"
    assert not terminal.home.exists()


def test_listing_as_json_gives_pins_and_places(terminal: Terminal) -> None:
    terminal.run("install")
    words, _ = terminal.json("list")["items"]
    assert words == {
        "id": "words",
        "purpose": "a test",
        "package": "words",
        "version": "1.0",
        "sha256": data_item().pin.sha256,
        "license": "MIT",
        "repository": None,
        "state": "installed",
        "folder": str(terminal.home / "kit" / "words"),
        "bytes": 6,
    }


def test_verifying_a_whole_kit_ends_well(terminal: Terminal) -> None:
    terminal.run("install")
    verified = terminal.run("verify")
    assert (verified.exit_code, verified.stderr) == (0, "")
    assert terminal.json("verify") == {"home": str(terminal.home), "ok": True, "problems": []}


def test_verifying_names_every_problem_with_its_fix(terminal: Terminal) -> None:
    terminal.run("install")
    corrupted = terminal.home / "kit" / "words" / "a.json"
    corrupted.write_text("[]")
    deleted = terminal.home / "hub" / "models--some-org--tiny" / "refs" / "main"
    deleted.unlink()
    verified = terminal.run("verify")
    assert verified.exit_code == 74
    first, second = verified.stderr.splitlines()
    assert first.startswith(f"error[I084] a file of the offline kit is corrupted at {corrupted} · got sha")
    assert second.startswith(f"error[I083] a file of the offline kit is missing at {deleted} · expected sha")
    assert first.endswith(" · run `cesello kit install`")
    assert second.endswith(" · run `cesello kit install`")


def test_verifying_as_json_exits_with_74_too(terminal: Terminal) -> None:
    result = terminal.run("verify", "--json")
    assert result.exit_code == 74
    parsed = json.loads(result.stdout)
    assert parsed["ok"] is False
    assert [(one["item"], one["code"], one["fix"]) for one in parsed["problems"]] == [
        ("words", "I080", "run `cesello kit install`"),
        ("tiny", "I080", "run `cesello kit install`"),
    ]


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "drawn"), [(Tty(), True), (io.StringIO(), False)], ids=["terminal", "file"]
)
def test_a_step_draws_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, drawn: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    with TerminalProgress().step("words: downloading", total=10) as advance:
        advance(5)
    with TerminalProgress().step("words: preparing"):
        pass
    assert ("words: downloading" in stream.getvalue()) is drawn
    assert ("words: preparing" in stream.getvalue()) is drawn


def test_the_real_kit_is_built_without_touching_the_disk(tmp_path: Path) -> None:
    built = build_kit(tmp_path / "home")
    assert [report.state.value for report in built.verify.glance()] == ["absent"] * len(built.verify.items)
    assert not (tmp_path / "home").exists()
