"""Folders of models and of LoRA weights as a stranger may give them, made out of sound ones."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.domain.errors import ModelError
from cesello.domain.model_spec import LoraSpec, ModelSpec

PROVIDER = HfModelProvider(NoQuantizer(), HubCache(None))
MODULE = "cesello_marker"
INDEX = "model.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class Payload:
    """Code that leaves a trace wherever it is run: a module that is imported, and a file that it makes.

    Attributes:
        folder: of the module and of the file.
    """

    folder: Path

    @property
    def module(self) -> Path:
        return self.folder / f"{MODULE}.py"

    @property
    def marker(self) -> Path:
        return self.folder / "it-ran"

    @property
    def code(self) -> str:
        return f"import sys; sys.path.insert(0, {str(self.folder)!r}); import {MODULE}"

    @property
    def pickle(self) -> bytes:
        """A pickle that runs the code."""
        return b"cbuiltins\nexec\n(V" + self.code.encode() + b"\ntR."

    @property
    def template(self) -> str:
        return "{{ cycler.__init__.__globals__.os.system('touch \"" + str(self.marker) + "\"') }}"

    def ran(self) -> bool:
        return self.marker.exists() or MODULE in sys.modules


Make: TypeAlias = Callable[[Path, Payload], object]
"""Changes a sound folder."""


@dataclass(frozen=True, slots=True)
class Case:
    """A change of a sound folder, and how the folder is then refused.

    Attributes:
        place: what the place that is named ends with.
        got: part of what is said to be there.
        fix: part of what is said to help.
        of_lora: whether the folder is one of LoRA weights.
    """

    make: Make
    code: str
    place: str
    got: str
    fix: str
    of_lora: bool = False

    def folder(self, within: Path, tiny: Path, lora: Path, payload: Payload) -> Path:
        folder = within / ("lora" if self.of_lora else "model")
        shutil.copytree(lora if self.of_lora else tiny, folder)
        self.make(folder, payload)
        return folder

    def check(self, error: ModelError) -> None:
        assert (error.code, error.exit_status) == (self.code, 4)
        assert str(error.where).endswith(self.place)
        assert self.got in str(error.got)
        assert self.fix in str(error.fix)


def refused(folder: Path, tiny: Path) -> ModelError:
    """The error for a folder called ``model``, or for one called ``lora`` of the tiny model's weights."""
    model = ModelSpec(str(tiny if folder.name == "lora" else folder), dtype="float32")
    ways: dict[str, Callable[[], object]] = {
        "model": partial(PROVIDER.load, model, LoraSpec(), seed=0),
        "lora": partial(PROVIDER.reopen, model, folder),
    }
    before = state(folder.parent)
    with pytest.raises(ModelError) as caught:
        ways.get(folder.name, ways["model"])()
    assert state(folder.parent) == before, "something was written"
    return caught.value


def state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What lies in a folder."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {str(path): (one.st_mode, one.st_size, one.st_mtime_ns) for path, one in found.items()}


def change(path: Path, **keys: Any) -> None:
    """Keys of a JSON file; None takes one away."""
    values = json.loads(path.read_text()) | keys
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def change_header(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Of a safetensors file; the bytes of its tensors stay as they are."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    edit(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


# Changes


def configured(file: str, **keys: Any) -> Make:
    return lambda folder, _: change(folder / file, **keys)


def written(file: str, content: str | bytes) -> Make:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder, _: (folder / file).write_bytes(data)


def pickled(file: str) -> Make:
    return lambda folder, payload: (folder / file).write_bytes(payload.pickle)


def without(file: str) -> Make:
    return lambda folder, _: (folder / file).unlink()
