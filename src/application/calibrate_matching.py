"""Find the score from which procedures apply, by requests of which it is known what is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..domain.calibration import Calibration
from ..domain.errors import DataError
from ..domain.ports.procedure import MatchingFile, ProcedureStore
from ..domain.procedure_match import Known
from .learn_matching import LearnMatching


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was learnt, from how many procedures, and where it is kept."""

    calibration: Calibration
    procedures: int
    labelled: int
    place: str


class CalibrateMatching:
    """Learns from the active procedures, their evals, and what a person has labelled."""

    def __init__(self, store: ProcedureStore, learn: LearnMatching, file: MatchingFile) -> None:
        self._store = store
        self._learn = learn
        self._file = file

    def __call__(self, labelled: Sequence[Known] | None = None) -> Calibrated:
        """Learns anew.

        Args:
            labelled: in place of what was given the last time; None: that again.

        Raises:
            DataError: D049 when there are no procedures, or a request is for one that is not there.
            CeselloError: those of the store, the embedder and the file.
        """
        procedures = [procedure for procedure, _ in self._store.active()]
        names = [one.name for one in procedures]
        if not procedures:
            fix = (
                "write one with `cesello sop new`, or all that come with cesello with `cesello sop new --all`"
            )
            raise DataError("D049", "there are no procedures to find", got="none that is active", fix=fix)
        kept = self._learn.kept()
        known = tuple(labelled) if labelled is not None else kept.labelled if kept else ()
        for one in labelled or ():
            if one.procedure is not None and one.procedure not in names:
                raise _unknown(one, names)
        calibration = self._learn.learn(procedures, known)
        return Calibrated(calibration, len(procedures), len(known), self._file.place)


def _unknown(known: Known, names: Sequence[str]) -> DataError:
    return DataError(
        "D049",
        "a labelled request is for a procedure that is not there",
        where=known.text[:80],
        got=known.procedure,
        expected=f"one of {', '.join(names)}, or null",
        fix="correct the name, or write that procedure first",
    )
