"""The memory of the devices of this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from ...domain.footprint import DeviceMemory
from .devices import chosen_device

_GROUP = Path("/sys/fs/cgroup")


class TorchDevices:
    """The first GPU that torch sees, all of them, or the machine's own memory."""

    def memory(self, wanted: str, *, spread: bool = False) -> DeviceMemory:
        device = chosen_device(wanted)
        if device == "cuda":
            count = torch.cuda.device_count() if spread else 1
            free, total = map(sum, zip(*map(torch.cuda.mem_get_info, range(count)), strict=True))
            name = torch.cuda.get_device_name()
            return DeviceMemory(device, name if count == 1 else f"{count} GPUs, as {name}", total, free)
        return DeviceMemory(device, _machine(), *_main_memory())


def _machine() -> str:
    return f"CPU, {os.cpu_count() or 1} cores, {platform.machine()}"


def _main_memory() -> tuple[int | None, int | None]:
    """Total and free bytes: of the system, or of the group the process is confined to."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None, None  # macOS and Windows tell elsewhere
    values = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    total, free = values["MemTotal"], values["MemAvailable"]
    limit, used = _group("memory.max"), _group("memory.current")
    if limit is None:
        return total, free
    # What the group has cached is counted as used, and is given back before anything fails.
    cached = _group_cache()
    return min(total, limit), min(free, limit - (used or 0) + cached)


def _group(name: str) -> int | None:
    try:
        text = (_GROUP / name).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _group_cache() -> int:
    try:
        lines = (_GROUP / "memory.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
