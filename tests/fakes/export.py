"""Exports of nothing but words: what was merged into what is written down, and compared by that."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from cesello.domain.errors import ModelError, UsageError
from cesello.domain.export import Damage, ExportManifest, Into, MergeSpec, Parity, Probes, Wrong
from cesello.domain.model_spec import ModelSpec
from cesello.domain.ports.run import Observer, Stop

WEIGHTS = "model.safetensors"
LAYERS = 3


class FakeModelExporter:
    """Writes down what it merged; a model whose name starts with ``missing`` is not here."""

    def merge(self, spec: MergeSpec, folder: Path, observer: Observer, stop: Stop) -> None:
        observer.phase(f"loading {spec.model.name}")
        if spec.model.name.startswith("missing"):
            raise ModelError("M001", f'the model "{spec.model.name}" is not here', fix="correct model.name")
        observer.phase("merging", LAYERS)
        for _ in range(LAYERS):
            stop.check()
            observer.advance()
        observer.phase("saving")
        saw = Into.DEQUANTISED if spec.quantised else Into.BASE
        merged = {"seen": spec.into is saw, "dtype": spec.dtype, "lora": _content(Path(spec.weights))}
        (folder / WEIGHTS).write_text(json.dumps(merged))
        for name in ("config.json", "generation_config.json", "tokenizer.json"):
            (folder / name).write_text("{}")
        (folder / "chat_template.jinja").write_text("{{ messages }}")


@dataclass
class FakeParityProbe:
    """Models differ by how they were merged, and by ``drift`` more every time.

    Attributes:
        asked: the probes it was given, in order.
    """

    drift: float = 0.0
    asked: list[Probes] = field(default_factory=list)

    def ask(
        self, model: ModelSpec, weights: Path, probes: Probes, observer: Observer, stop: Stop
    ) -> FakeReference:
        observer.phase(f"loading {model.name}")
        stop.check()
        observer.phase("measuring the trained model", len(probes.rows) + len(probes.prompts))
        observer.advance(len(probes.rows) + len(probes.prompts))
        self.asked.append(probes)
        return FakeReference(probes, model, _content(weights), self.drift * (len(self.asked) - 1))


@dataclass
class FakeReference:
    """What is known of the trained model."""

    probes: Probes
    model: ModelSpec
    lora: str
    drift: float

    def compared_with(self, folder: Path, dtype: str, observer: Observer, stop: Stop) -> Parity:
        merged = json.loads((folder / WEIGHTS).read_text())
        stop.check()
        probes = self.probes
        observer.phase("measuring the merged model", len(probes.rows) + len(probes.prompts))
        observer.advance(len(probes.rows) + len(probes.prompts))
        difference = (
            (0.0 if merged["seen"] else 0.5)
            + (0.0 if dtype == "float32" else 0.01)
            + (0.0 if merged["lora"] == self.lora else 2.0)
            + self.drift
        )
        return Parity(
            origin=probes.origin,
            fingerprint=probes.fingerprint,
            rows=len(probes.rows),
            positions=sum(row.trained_tokens for row in probes.rows),
            max_logit_difference=difference,
            mean_kl=difference**2,
            prompts=len(probes.prompts),
            same_answers=len(probes.prompts) if difference < 0.1 else 0,
            dtype=self.model.dtype,
            device="cpu",
        )


@dataclass
class FakeOpenExport:
    """A folder of the system's own until it is finished."""

    folders: FakeExportFolders
    path: Path
    place: Path

    def fill(self, save: Callable[[Path], None]) -> None:
        save(self.path)

    def finish(self, card: str, manifest: ExportManifest) -> ExportManifest:
        (self.path / "README.md").write_text(card)
        files = {name: sha256(content).hexdigest() for name, content in _files(self.path).items()}
        manifest = dataclasses.replace(manifest, files=files)
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.path, self.place)
        self.folders.kept[self.place] = manifest
        return manifest


@dataclass
class FakeExportFolders:
    """Remembers manifests; the other files are where they would be."""

    kept: dict[Path, ExportManifest] = field(default_factory=dict)

    @contextmanager
    def create(self, folder: Path, *, overwrite: bool = False) -> Iterator[FakeOpenExport]:
        there = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
        if there and not (overwrite and folder in self.kept):
            raise UsageError("C060", "something is there already", where=str(folder), fix="name another DIR")
        with TemporaryDirectory() as name:
            yield FakeOpenExport(self, Path(name), folder)

    def read(self, folder: Path) -> ExportManifest:
        if folder not in self.kept:
            what = "the folder holds no export of cesello"
            raise ModelError("M038", what, where=str(folder), fix="name a DIR of an export")
        return self.kept[folder]

    def damages(self, folder: Path, manifest: ExportManifest) -> tuple[Damage, ...]:
        there = _files(folder)
        found = [Damage(name, Wrong.ADDED) for name in there if name not in manifest.files]
        for name, digest in manifest.files.items():
            if name not in there:
                found.append(Damage(name, Wrong.MISSING))
            elif sha256(there[name]).hexdigest() != digest:
                found.append(Damage(name, Wrong.CHANGED))
        return tuple(sorted(found, key=lambda damage: damage.file))


@dataclass
class FakeGgufExporter:
    """Converts by copying the weights, where it is ``installed``; it fails on what is empty."""

    installed: bool = True

    def check(self, file: Path, *, overwrite: bool = False) -> None:
        if not self.installed:
            raise ModelError("M034", "llama.cpp's converter is not here", fix="get it")
        for path in (file, file.with_name("Modelfile")):
            if path.exists() and not overwrite:
                raise UsageError("C061", "a file is already there", where=str(path), fix="add --overwrite")

    def convert(self, folder: Path, file: Path, dtype: str, system_prompt: str, stop: Stop) -> Path:
        stop.check()
        if not (folder / WEIGHTS).exists():
            raise ModelError("M035", "llama.cpp's converter could not convert the model", fix="see it")
        file.write_bytes(b"GGUF" + (folder / WEIGHTS).read_bytes())
        recipe = file.with_name("Modelfile")
        recipe.write_text(f"FROM ./{file.name}\n")
        return recipe


def _content(weights: Path) -> str:
    return (weights / "adapter_model.safetensors").read_bytes().hex()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
