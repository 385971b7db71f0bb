"""Verify an export: every file is as it was written, and the model is still as alike to the trained one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..domain.errors import CeselloError, DataError, ModelError, RetryableError
from ..domain.export import Damage, ExportManifest, Figure, Probes, compared
from ..domain.model_spec import ModelSpec
from ..domain.ports.export import ExportFolders, ParityProbe
from ..domain.ports.run import Observer, Stop
from ..domain.run import RunSummary
from .choose_probes import HELD_OUT, ChooseProbes, ProbeRequest
from .export_model import lora_sha256
from .prepare_data import DataRequest
from .run_weights import weights_of


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """The run that an export was made of, and what it needs to be asked again."""

    run: RunSummary
    model: ModelSpec
    data: DataRequest


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        figures: recorded beside measured again; empty where nothing could be measured.
        unmeasured: why nothing was, in a sentence; empty where it was.
    """

    manifest: ExportManifest
    damages: Sequence[Damage] = ()
    figures: Sequence[Figure] = ()
    unmeasured: str = ""

    @property
    def is_good(self) -> bool:
        return not self.damages and all(figure.agrees for figure in self.figures)


class VerifyExport:
    """Files first; figures only of files that are as they were."""

    def __init__(
        self,
        probes: ChooseProbes,
        probe: ParityProbe,
        folders: ExportFolders,
        observer: Observer,
        stop: Stop,
    ) -> None:
        self._probes = probes
        self._probe = probe
        self._folders = folders
        self._observer = observer
        self._stop = stop

    def __call__(self, folder: Path, trained: TrainedModel | CeselloError) -> Verification:
        """Checks an export against itself and against its run.

        Args:
            trained: the run, or why it cannot be had.

        Raises:
            ModelError: M038 when the folder holds no export, and those of loading it.
        """
        manifest = self._folders.read(folder)
        self._observer.phase("checking files")
        damages = self._folders.damages(folder, manifest)
        if damages:
            return Verification(manifest, damages, unmeasured="files were changed")
        if isinstance(trained, CeselloError):
            return Verification(manifest, unmeasured=f"the run is not there any more ({trained.what})")
        if lora_sha256(trained.run) != manifest.run.lora_sha256:
            return Verification(manifest, unmeasured="the run's LoRA weights are no longer those exported")
        return self._measured(folder, manifest, trained)

    def _measured(self, folder: Path, manifest: ExportManifest, trained: TrainedModel) -> Verification:
        try:
            weights = weights_of(trained.run)
            request = ProbeRequest(trained.model, weights, trained.data, manifest.rows)
            probes = self._asked_before(request, manifest)
        except (DataError, RetryableError) as gone:
            return Verification(manifest, unmeasured=f"the run's data is not there any more ({gone.what})")
        except ModelError as gone:
            return Verification(manifest, unmeasured=f"the run's model is not there any more ({gone.what})")
        if probes is None or probes.fingerprint != manifest.parity.fingerprint:
            return Verification(manifest, unmeasured="the run's held-out rows are no longer the same")
        watching = self._observer, self._stop
        reference = self._probe.ask(trained.model, weights, probes, *watching)
        parity = reference.compared_with(folder, manifest.dtype, *watching)
        return Verification(manifest, figures=tuple(compared(manifest.parity, parity)))

    def _asked_before(self, request: ProbeRequest, manifest: ExportManifest) -> Probes | None:
        """What was asked when the export was made; None where it cannot be had."""
        if manifest.parity.origin != HELD_OUT:
            return self._probes.built_in(request, why="as when it was exported")
        return self._probes.held_out(request)
