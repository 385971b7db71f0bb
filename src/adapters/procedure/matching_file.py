"""What matching has learnt, as one JSON file beside the procedures."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...domain.errors import DataError
from ...domain.procedure_match import Known, Learnt
from ...domain.text_hazards import masked
from .safe_files import keep_out, sync, writing

_FORM = 1
_LARGEST = 64 << 20


class JsonMatchingFile:
    """Implements ``MatchingFile``.

    Args:
        shown: how messages name it.
        aside: the folder where it is put when it is damaged; None: its own.
    """

    def __init__(self, file: Path, shown: str | None = None, aside: Path | None = None) -> None:
        self._file = file
        self._shown = shown or str(file)
        self._aside = aside or file.parent

    @property
    def place(self) -> str:
        """See the port."""
        return self._shown

    def read(self) -> Learnt | None:
        """See the port. A file that cannot be opened is learnt anew like one that is not there."""
        try:
            if not self._file.is_file():
                return None
            if self._file.stat().st_size > _LARGEST:
                raise self._put_aside(f"more than {_LARGEST >> 20} MiB")
            return _learnt(json.loads(self._file.read_text(encoding="utf-8")))
        except OSError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as cause:
            raise self._put_aside(str(cause) or type(cause).__name__) from cause

    def _put_aside(self, got: str) -> DataError:
        """Nothing that a person has labelled is written over."""
        names = (self._aside / f"{self._file.stem}.damaged{more}.json" for more in ("", *range(2, 1_000)))
        aside = next((one for one in names if not os.path.lexists(one)), None)
        where = f"a copy of {self._shown}"
        with suppress(OSError):
            if aside is not None:
                self._aside.mkdir(mode=0o700, parents=True, exist_ok=True)
                if self._aside != self._file.parent:
                    keep_out(self._aside)
                self._file.rename(aside)
                where = os.path.relpath(aside)
        fix = f"if you had labelled requests, take them out of {where}, and calibrate again with them"
        what = (
            "what matching had learnt is damaged: it is learnt anew, without the requests that were labelled"
        )
        return DataError("D048", what, where=self._shown, got=got[:200], fix=fix)

    def write(self, learnt: Learnt) -> None:
        """See the port."""
        written = {
            "form": _FORM,
            "embedder": learnt.embedder,
            "procedures": learnt.digest,
            "threshold": learnt.threshold,
            "figures": dict(learnt.figures),
            "labelled": [[masked(one.text), one.procedure] for one in learnt.labelled],
            "votes": [[round(vote, 6) for vote in row] for row in learnt.votes],
        }
        with writing(self._file):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            keep_out(self._file.parent, self._file.name)  # it holds requests
            _replace(self._file, (json.dumps(written, ensure_ascii=True) + "\n").encode())


def _learnt(read: Mapping[str, Any]) -> Learnt:
    if read["form"] != _FORM:
        raise ValueError(f"form {read['form']}; this version of cesello reads form {_FORM}")
    votes = [[float(vote) for vote in row] for row in read["votes"]]
    threshold = float(read["threshold"])
    if not math.isfinite(threshold) or not all(math.isfinite(vote) for row in votes for vote in row):
        raise ValueError("a vote that is no number")
    labelled = [
        Known(str(text), None if name is None else str(name), judged=True) for text, name in read["labelled"]
    ]
    figures = {str(name): float(value) for name, value in read["figures"].items()}
    return Learnt(str(read["embedder"]), str(read["procedures"]), tuple(labelled), votes, threshold, figures)


def _replace(file: Path, content: bytes) -> None:
    """A reader sees the old content or the new one; of two writers the later one's is left."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)  # of a killed process, or a link that leads elsewhere
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        partial.replace(file)
        sync(file.parent)
    finally:
        partial.unlink(missing_ok=True)
