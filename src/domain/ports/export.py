"""Merging LoRA weights into a model, measuring what came of it, and keeping it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ..export import Damage, ExportManifest, MergeSpec, Parity, Probes
from ..model_spec import ModelSpec
from .run import Observer, Stop


class ModelExporter(Protocol):
    """Makes one ordinary model of a base model and its LoRA weights."""

    def merge(self, spec: MergeSpec, folder: Path, observer: Observer, stop: Stop) -> None:
        """Writes weights, configuration and tokenizer with its chat template into an empty folder.

        Raises:
            ModelError: those of loading; M032 when a merged weight is not finite, M033 when the base model's
                files are quantised themselves.
        """
        ...


class Reference(Protocol):
    """What the trained model said; the model itself is gone."""

    def compared_with(self, folder: Path, dtype: str, observer: Observer, stop: Stop) -> Parity:
        """The same asked of a merged model, as its files in a folder are read in that number format.

        Raises:
            ModelError: those of loading, and M039 when what it computes is not finite.
        """
        ...


class ParityProbe(Protocol):
    """Asks models the same."""

    def ask(
        self, model: ModelSpec, weights: Path, probes: Probes, observer: Observer, stop: Stop
    ) -> Reference:
        """What the base model says with these LoRA weights, quantised as it was trained.

        Raises:
            ModelError: those of loading, and M039 when what it computes is not finite.
        """
        ...


class OpenExport(Protocol):
    """A folder of an export that is being written, out of sight until it is finished."""

    @property
    def path(self) -> Path:
        """Where its files are until then."""
        ...

    def fill(self, save: Callable[[Path], None]) -> None:
        """Lets ``save`` write into the folder.

        Raises:
            RetryableError: T075 when the disk is full. StorageError: I005 when it cannot be written.
        """
        ...

    def finish(self, card: str, manifest: ExportManifest) -> ExportManifest:
        """Adds the model card and ``export.json``, and puts the folder in its place.

        Returns:
            The manifest with the sha256 of every file.
        """
        ...


class ExportFolders(Protocol):
    """Exported models on the disk."""

    def create(self, folder: Path, *, overwrite: bool = False) -> AbstractContextManager[OpenExport]:
        """A new export; what is not finished when the context ends is removed.

        Args:
            overwrite: replaces an export that is there, and nothing else.

        Raises:
            UsageError: C060 when something else is there. RetryableError: T075 when the disk is full.
            StorageError: I005 when it cannot be written.
        """
        ...

    def read(self, folder: Path) -> ExportManifest:
        """What an export says of itself.

        Raises:
            ModelError: M038 when the folder holds no export that can be read.
        """
        ...

    def damages(self, folder: Path, manifest: ExportManifest) -> Sequence[Damage]:
        """Every file that is not as the manifest says; nothing where all is well."""
        ...


class GgufExporter(Protocol):
    """Makes a GGUF file of an exported model."""

    def check(self, file: Path, *, overwrite: bool = False) -> None:
        """Whether it could write the file now, before any work is done.

        Raises:
            ModelError: M034 when the converter is not installed. UsageError: C061 when a file is there.
        """
        ...

    def convert(self, folder: Path, file: Path, dtype: str, system_prompt: str, stop: Stop) -> Path:
        """Writes the file whole or not at all, and a ``Modelfile`` for Ollama beside it.

        Returns:
            The ``Modelfile``.

        Raises:
            ModelError: M035 when the converter fails.
        """
        ...
