"""Reads back what was logged, as other programs would."""

from __future__ import annotations

import csv
import struct
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

Series: TypeAlias = dict[str, list[tuple[int, float]]]
"""Name -> step and value, in the order in which they stand there."""


def in_csv(folder: Path) -> Series:
    """What metrics.csv holds."""
    series: Series = defaultdict(list)
    with (folder / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            for name in row.keys() - {"step"}:
                if row[name]:
                    series[name].append((int(row["step"]), float(row[name])))
    return dict(series)


def in_tensorboard(folder: Path) -> Series:
    """What TensorBoard's own reader makes of the event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    reader.Reload()
    return {
        name: [(event.step, event.value) for event in reader.Scalars(name)]
        for name in reader.Tags()["scalars"]
    }


def float32(value: float) -> float:
    """The nearest number that has 32 bits."""
    return float(struct.unpack("f", struct.pack("f", value))[0])
