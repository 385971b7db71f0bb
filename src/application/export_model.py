"""Export a run's model: merge its LoRA weights, measure what came of it, keep the figures with the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..domain.export import (
    ExportedRun,
    ExportManifest,
    Into,
    MergeSpec,
    Parity,
    chosen_base,
    chosen_format,
    meaning,
)
from ..domain.export_card import export_card
from ..domain.model_spec import ModelSpec
from ..domain.ports.export import ExportFolders, GgufExporter, ModelExporter, ParityProbe
from ..domain.ports.run import Clock, Observer, Stop
from ..domain.run import RunSummary
from .choose_probes import ChooseProbes, ProbeRequest
from .prepare_data import DataRequest
from .run_weights import weights_of


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is exported, and where to.

    Attributes:
        model: the run's base model, in the number format that it was trained in.
        dtype: of the files; auto is the run's own if that has 16 bits, else bfloat16.
        rows: how many held-out rows the parity is measured on.
        overwrite: replaces an export that is there.
        gguf: a GGUF file to make of it too.
        versions: of the libraries at work.
    """

    run: RunSummary
    model: ModelSpec
    data: DataRequest
    folder: Path
    into: Into | None = None
    dtype: str = "auto"
    rows: int = 16
    overwrite: bool = False
    gguf: Path | None = None
    system_prompt: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


class ExportModel:
    """Merges, measures and keeps."""

    def __init__(
        self,
        probes: ChooseProbes,
        probe: ParityProbe,
        exporter: ModelExporter,
        folders: ExportFolders,
        gguf: GgufExporter,
        observer: Observer,
        stop: Stop,
        clock: Clock,
    ) -> None:
        self._probes = probes
        self._probe = probe
        self._exporter = exporter
        self._folders = folders
        self._gguf = gguf
        self._observer = observer
        self._stop = stop
        self._clock = clock

    def __call__(self, request: ExportRequest) -> ExportManifest:
        """Never holds the trained and the merged model at once.

        Raises:
            ModelError: M007 when the run holds no weights, and those of the ports. UsageError, StorageError,
                RetryableError, Interrupted: nothing is left behind, and what was there before stays. A GGUF
                file that fails leaves the folder whole.
        """
        weights = weights_of(request.run)
        spec = _merge_spec(request, weights)
        if request.gguf:
            self._gguf.check(request.gguf, overwrite=request.overwrite)
        with self._folders.create(request.folder, overwrite=request.overwrite) as folder:
            probes = self._probes(ProbeRequest(request.model, weights, request.data, request.rows))
            watching = self._observer, self._stop
            reference = self._probe.ask(request.model, weights, probes, *watching)
            folder.fill(lambda path: self._exporter.merge(spec, path, *watching))
            parity = reference.compared_with(folder.path, spec.dtype, *watching)
            manifest = self._manifest(request, spec, parity)
            card = export_card(manifest, request.run.manifest, system_prompt=request.system_prompt)
            self._stop.check()
            manifest = folder.finish(card, manifest)
        if request.gguf:
            self._observer.phase("converting to GGUF")
            self._gguf.convert(request.folder, request.gguf, spec.dtype, request.system_prompt, self._stop)
        return manifest

    def _manifest(self, request: ExportRequest, spec: MergeSpec, parity: Parity) -> ExportManifest:
        facts = request.run.manifest
        quantizer = (facts.get("model") or {}).get("quantizer", "none")
        run = ExportedRun(
            request.run.id,
            request.run.name,
            quantizer,
            facts.get("recipe_sha256", ""),
            lora_sha256(request.run),
        )
        return ExportManifest(
            run=run,
            base_model=public_name(request.model.name),
            into=spec.into,
            meaning=meaning(spec.into, quantizer),
            dtype=spec.dtype,
            created=self._clock.now(),
            rows=request.rows,
            parity=parity,
            versions=request.versions,
        )


def _merge_spec(request: ExportRequest, weights: Path) -> MergeSpec:
    loaded = request.run.manifest.get("model") or {}
    quantizer = loaded.get("quantizer", "none")
    return MergeSpec(
        request.model,
        str(weights),
        chosen_base(request.into, quantizer),
        chosen_format(request.dtype, loaded.get("dtype", "")),
        quantised=quantizer != "none",
    )


def lora_sha256(run: RunSummary) -> str:
    """Of the run's LoRA weights, as it recorded them itself."""
    return str((run.manifest.get("weights") or {}).get("adapter_model.safetensors", ""))


def public_name(model: str) -> str:
    """A model's name on the hub; of a local folder the last part, since the rest is this machine's own."""
    return Path(model).name if Path(model).is_absolute() else model
