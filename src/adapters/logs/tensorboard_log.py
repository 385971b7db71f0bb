"""Event files that `tensorboard --logdir runs` shows."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from ...domain.ports.logs import LoggedRun
from .private_files import append_private, write_private

FOLDER = "tensorboard"
_PREFIX = "events.out.tfevents."


class TensorBoardLog:
    """``tensorboard/`` in the run's folder, a file for each process that trains the run.

    Written by the thread of the training and at once, so that nothing is lost with a process that is killed.
    A value is a 32-bit float, as in every writer of event files.
    """

    def begin(self, run: LoggedRun, first_step: int) -> None:
        folder = run.folder / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        last = first_step if run.resumed else -1
        earlier = sorted(folder.glob(f"{_PREFIX}*"))
        for file in earlier:
            write_private(file, _until(last, file.read_bytes()))
        # Readers take files in the order of their names, which is to be that of the processes.
        number = 1 + max((int(file.suffix[1:]) for file in earlier), default=0)
        self._path = folder / f"{_PREFIX}{number:06d}"
        self._write(file_version="brain.Event:2")
        # A TensorBoard that is running already forgets what it read of later steps.
        self._write(step=last + 1, session_log=SessionLog(status=SessionLog.START))
        if not run.resumed:
            settings = {name: _plain(value) for name, value in run.settings.items()}
            self._write(summary=hparams_pb(settings, trial_id=run.id))

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._write(step=step, summary=Summary(value=values))

    def end(self, status: str) -> None:
        """Every event is there already."""

    def _write(self, **event: Any) -> None:
        record = io.BytesIO()
        RecordWriter(record).write(Event(wall_time=time.time(), **event).SerializeToString())
        append_private(self._path, record.getvalue())


def _until(last: int, content: bytes) -> bytes:
    """The records up to a step, without a last one that was not written to its end.

    A record is its length in 8 bytes, a checksum of that in 4, the event, and a checksum of the event in 4.
    """
    kept, begin = [], 0
    while begin + 12 <= len(content):
        event = begin + 12
        end = event + int.from_bytes(content[begin : begin + 8], "little")
        if end + 4 > len(content):
            break
        if Event.FromString(content[event:end]).step <= last:
            kept.append(content[begin : end + 4])
        begin = end + 4
    return b"".join(kept)


def _plain(value: object) -> bool | float | str:
    """What a hyper-parameter of TensorBoard can be."""
    return value if isinstance(value, bool | int | float | str) else str(value)
