"""Learn what requests are for which procedure, and keep it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..domain.calibration import Calibration, calibrated, judged, outcome
from ..domain.errors import CeselloError, DataError
from ..domain.ports.memory import Embedder
from ..domain.ports.procedure import MatchingFile, RidgeRegression
from ..domain.ports.run import Observer
from ..domain.procedure import Procedure
from ..domain.procedure_match import PENALTY, Known, Learnt, Votes, digest, known_requests, targets
from ..domain.request_features import Features, Vocabulary, features, normalised
from ..domain.retrieval import Embedding

_AT_ONCE = 50
"""Requests that are embedded, and kept, together."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Votes to match with.

    Attributes:
        identity: of all that was learnt.
        note: what a person should know of them; empty: nothing.
    """

    votes: Votes
    identity: str
    note: str = ""


class LearnMatching:
    """Makes votes of procedures, or finds them as they were left.

    Args:
        observer: is told before anything is learnt, which takes some ten seconds; None: nobody.
    """

    def __init__(
        self,
        embedder: Embedder,
        ridge: RidgeRegression,
        file: MatchingFile,
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer
        self._embedder = embedder
        self._ridge = ridge
        self._file = file

    def ready(self, procedures: Sequence[Procedure]) -> Ready:
        """What was learnt of these procedures; else it is learnt now, from them and what was labelled before.

        Raises:
            CeselloError: those of the embedder.
        """
        kept = self.kept()
        if kept is not None and not self.stale(kept, procedures):
            return Ready(self._votes(procedures, kept), kept.identity)
        labelled = kept.labelled if kept else ()
        learnt, _ = self._learnt(procedures, labelled)
        with suppress(CeselloError):  # where nothing can be kept, it is learnt again the next time
            self._file.write(learnt)
        return Ready(self._votes(procedures, learnt), learnt.identity, _note(kept, learnt))

    def kept(self) -> Learnt | None:
        """What was left; None: nothing. What is damaged is told, and begun anew."""
        try:
            return self._file.read()
        except DataError as problem:
            if self._observer is not None:
                self._observer.note(f"note: {problem}")
            return None

    def learn(self, procedures: Sequence[Procedure], labelled: Sequence[Known]) -> Calibration:
        """Learns anew and keeps it.

        Raises:
            CeselloError: those of the embedder and of the file.
        """
        learnt, calibration = self._learnt(procedures, labelled)
        self._file.write(learnt)
        return calibration

    def stale(self, kept: Learnt, procedures: Sequence[Procedure]) -> str:
        """Why what was kept serves no more; empty: it does."""
        if kept.digest != digest(procedures):
            return "the procedures have changed"
        if kept.embedder != self._embedder.fingerprint:
            return "the embedder is another one"
        expected = len(known_requests(procedures, _of(kept.labelled, procedures)))
        whole = len(kept.votes) == expected and all(len(row) == len(procedures) + 1 for row in kept.votes)
        return "" if whole else "it was learnt by another version of cesello"

    def _learnt(
        self, procedures: Sequence[Procedure], labelled: Sequence[Known]
    ) -> tuple[Learnt, Calibration]:
        usable = _of(labelled, procedures)
        names = tuple(one.name for one in procedures)
        known = known_requests(procedures, usable)
        rows, _ = self._features(known, self._observer)
        fit = self._ridge.fit(rows, targets(known, names), PENALTY)
        found = judged(known, fit.left_out, names)
        own = {normalised(one.text).casefold() for one in usable}
        measured = [one for one in found if one.known.text.casefold() in own] if usable else found
        calibration = outcome(measured, calibrated(found).threshold)
        learnt = Learnt(
            self._embedder.fingerprint,
            digest(procedures),
            tuple(labelled),
            fit.votes,
            calibration.threshold,
            _figures(calibration),
        )
        return learnt, calibration

    def _votes(self, procedures: Sequence[Procedure], learnt: Learnt) -> Votes:
        known = known_requests(procedures, _of(learnt.labelled, procedures))
        rows, vocabulary = self._features(known)
        names = tuple(one.name for one in procedures)
        return Votes(names, known, rows, vocabulary, learnt.votes, learnt.threshold)

    def _features(
        self, known: Sequence[Known], observer: Observer | None = None
    ) -> tuple[list[Features], Vocabulary]:
        texts = [one.text for one in known]
        vocabulary = Vocabulary(texts)
        return features(texts, self._vectors(texts, observer), vocabulary), vocabulary

    def _vectors(self, texts: Sequence[str], observer: Observer | None) -> list[Embedding]:
        """A few at a time: who waits sees how it goes, and what was embedded is kept when it is stopped."""
        if observer is not None:
            observer.phase("learning what procedures are for, once", len(texts))
        vectors: list[Embedding] = []
        for at in range(0, len(texts), _AT_ONCE):
            vectors += self._embedder.embed(texts[at : at + _AT_ONCE])
            if observer is not None:
                observer.advance(len(vectors) - at)
        return vectors


def _of(labelled: Sequence[Known], procedures: Sequence[Procedure]) -> list[Known]:
    """Without what is said of procedures that are not there."""
    names = {None, *(one.name for one in procedures)}
    return [one for one in labelled if one.procedure in names]


def _figures(calibration: Calibration) -> dict[str, float]:
    return {
        "wanted": calibration.wanted,
        "right": calibration.right,
        "other": calibration.other,
        "unwanted": calibration.unwanted,
        "false": calibration.false,
    }


def _note(kept: Learnt | None, learnt: Learnt) -> str:
    if kept is None:
        return ""
    what = "procedures have" if kept.digest != learnt.digest else "embedder or cesello has"
    return f"the {what} changed since the last calibration: learnt anew"
