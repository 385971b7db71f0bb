"""``cesello doctor``: what this machine can do and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from ...domain.errors import SandboxError
from ...domain.ports.sandbox import Sandbox
from .output import echo_json, echo_table


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; ``fix`` is the next step where something is missing."""

    name: str
    ok: bool
    value: str
    fix: str = ""


@click.command()
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Look at Python, libraries, devices, the offline kit, grammars, the disk and the sandbox.

    Ends with status 1 when something that training needs is missing.
    """
    from .quiet import quieten

    quieten(bool(context.obj))
    findings = list(examine(Path.cwd()))
    if as_json:
        echo_json([{"name": f.name, "ok": f.ok, "value": f.value, "fix": f.fix} for f in findings])
    else:
        rows = [("ok" if f.ok else "!!", f.name, f.value) for f in findings]
        echo_table(["", "what", "found"], rows)
        for finding in findings:
            if finding.fix:
                click.echo(f"{finding.name}: {finding.fix}")
    context.exit(0 if all(finding.ok for finding in findings) else 1)


def examine(folder: Path) -> Iterator[Finding]:
    """Everything, in the order a person would ask."""
    yield _python()
    yield from _libraries()
    yield from _devices()
    yield _memory()
    yield from _kit()
    yield _grammars()
    yield _disk(folder)
    from ..container import make_container

    yield sandbox_finding(make_container().sandbox())


def sandbox_finding(sandbox: Sandbox) -> Finding:
    """How programs that a model wrote would be held, found out by trying."""
    try:
        tier = sandbox.tier
    except SandboxError as problem:
        # Most trainings run no program that a model wrote; those that do are refused without one.
        return Finding("sandbox", True, f"none: {problem.got or problem.what}", problem.fix or "")
    held = f"{tier.name}, which stops {', '.join(tier.stops) or 'nothing'}"
    missing = f"; not here: {', '.join(tier.missing)}" if tier.missing else ""
    return Finding("sandbox", True, held + missing)


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding("python", ok, platform.python_version(), "" if ok else "use Python 3.11 or newer")


def _libraries() -> Iterator[Finding]:
    from importlib import metadata

    for name in ("torch", "transformers", "peft", "bitsandbytes", "lightning", "datasets", "chromadb"):
        try:
            yield Finding(name, True, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, False, "missing", "run `pip install cesello` again")


def _devices() -> Iterator[Finding]:
    import torch

    from ..wiring import computes_bfloat16

    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    dtype = "bfloat16" if computes_bfloat16() else "float32"
    yield Finding("cpu", True, f"{cores} cores, {threads} torch threads, computes in {dtype}")
    if not torch.cuda.is_available():
        yield Finding("gpu", True, "none: training runs on the CPU")
        return
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = "bfloat16" if bf16 else "float16"
        memory = f"{facts.total_memory / 2**30:.0f} GiB"
        yield Finding(f"gpu {index}", True, f"{facts.name}, {memory}, computes in {dtype}")


def _memory() -> Finding:
    from ..wiring import torch_devices

    memory = torch_devices().memory("cpu")
    if memory.free is None or memory.total is None:
        return Finding("memory", True, "unknown")
    return Finding("memory", True, f"{memory.free / 2**30:.0f} of {memory.total / 2**30:.0f} GiB free")


def _kit() -> Iterator[Finding]:
    from ...domain.kit_state import INSTALL
    from ..home import home
    from ..kit_wiring import build_kit

    for report in build_kit(home()).verify.glance():
        whole = not report.damages
        yield Finding(f"kit {report.item.id}", whole, report.state, "" if whole else INSTALL)


def _grammars() -> Finding:
    from importlib.util import find_spec

    ok = find_spec("tree_sitter_python") is not None
    return Finding(
        "grammars", ok, "python" if ok else "none", "" if ok else "run `pip install tree-sitter-python`"
    )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    ok = free > 2 * 2**30
    return Finding("disk", ok, f"{free / 2**30:.1f} GiB free in this folder", "" if ok else "free some space")
