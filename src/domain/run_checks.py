"""What a run's manifest says, by what lies beside it. It may come from a stranger, and hold anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import Any

from .checkpoint import CheckpointState, differences
from .mixture_manifest import MixtureManifest
from .run import RunStatus, RunSummary
from .run_verification import Check, Part, StoredCheckpoint

WEIGHTS = "lora"
LATER = ("ablation.json", "ablation-stopped.json")
"""What other commands write into the folder of a run that has ended."""

Line = Mapping[str, Any]


def mapping(value: object) -> Mapping[str, Any]:
    """What should be one; empty where it is not."""
    return value if isinstance(value, Mapping) else {}


def identity(run: RunSummary) -> Mapping[str, str]:
    """What decided a run, by name."""
    return {str(name): str(value) for name, value in mapping(run.manifest.get("identity")).items()}


def count(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def status_check(status: RunStatus, error: object) -> Check:
    """Only what is completed is what its report tells."""
    if status is RunStatus.COMPLETED:
        return Check(Part.STATUS, "completed")
    why = f": {str(error)[:200]}" if error else ""
    return Check(Part.STATUS, changes=(f"the run is {status}, not completed{why}",))


def weights_check(stored: Mapping[str, Any], now: Mapping[str, str]) -> Check:
    """LoRA weights and what was saved with them.

    Args:
        stored: sha256 by file, of the manifest.
        now: of the files that are there.
    """
    added = [f"{WEIGHTS}/{name} was added" for name in now if name not in stored]
    if not stored:
        return Check(Part.WEIGHTS, changes=tuple(added), unchecked="the run has saved none")
    missing = [f"{WEIGHTS}/{name} is missing" for name in stored if name not in now]
    changed = [
        f"{WEIGHTS}/{name} was changed" for name in stored if now.get(name, stored[name]) != stored[name]
    ]
    good = len(stored) - len(missing) - len(changed)
    said = f"{good} of {count(len(stored), 'file')} as they were written"
    return Check(Part.WEIGHTS, said, (*changed, *missing, *added))


def sealed_part(name: str) -> Part:
    """Which part of a run a file of its folder is."""
    if name.split("/")[0] == "checkpoints":
        return Part.CHECKPOINTS
    is_log = name.endswith(".jsonl") and "/" not in name and not name.startswith("samples-")
    return Part.LOGS if is_log else Part.FILES


def sealed_changes(stored: Mapping[str, Any], now: Mapping[str, str], part: Part) -> tuple[str, ...]:
    """What became of one part's files since the run ended; that any were added is told of ``FILES``.

    Args:
        stored: sha256 by path, of the manifest.
        now: of what is there.
    """
    mine = {name: digest for name, digest in stored.items() if digest and sealed_part(name) is part}
    found = [
        f"{name} {'was changed' if name in now else 'is missing'}"
        for name, digest in mine.items()
        if now.get(name) != digest
    ]
    if part is Part.FILES:
        found += [f"{name} was added" for name in now if name not in stored and name not in LATER]
    return tuple(found)


def files_check(stored: Mapping[str, Any], now: Mapping[str, str]) -> Check:
    """Samples, rows, tables: all that no other part is about; and what is vouched for by nothing."""
    if not stored:
        return Check(Part.FILES, unchecked="the manifest marks none")
    mine = [name for name, digest in stored.items() if digest and sealed_part(name) is Part.FILES]
    open_ = sorted({name for name in now if not stored.get(name) and (name in stored or name in LATER)})
    uncovered = ", ".join(("manifest.json", *open_))
    said = f"{count(len(mine), 'file')} as when the run ended; not covered: {uncovered}"
    return Check(Part.FILES, said, sealed_changes(stored, now, Part.FILES))


def checkpoints_check(stored: Sequence[StoredCheckpoint], sealed: Sequence[str] = ()) -> Check:
    """Every byte of every checkpoint was looked at.

    Args:
        sealed: what is wrong with them by the run's manifest.
    """
    if not stored and sealed:
        return Check(Part.CHECKPOINTS, changes=tuple(sealed))
    if not stored:
        return Check(Part.CHECKPOINTS, unchecked="there are none")
    damaged = tuple(f"{one.name}: {one.damage}" for one in stored if one.state is None)
    said = f"{len(stored) - len(damaged)} of {len(stored)} as they were written"
    return Check(Part.CHECKPOINTS, said, (*damaged, *sealed))


def figures_check(
    manifest: Mapping[str, Any],
    metrics: Sequence[Line] | None,
    evaluations: Sequence[Line] | None,
    last: CheckpointState | None,
) -> Check:
    """What the manifest says of a training, by what was written down on the way.

    Args:
        metrics, evaluations: the lines of those logs; None where they cannot be read.
        last: the newest checkpoint that is whole.
    """
    steps, loss = manifest.get("steps"), manifest.get("final_loss")
    if not isinstance(steps, int) or not steps:
        return Check(Part.FIGURES, unchecked="no step was done")
    if not metrics:
        return Check(Part.FIGURES, changes=("metrics.jsonl is missing, or no log any more",))
    changes: list[str] = []
    if metrics[-1].get("step") != steps or len(metrics) != steps:
        changes.append(f"the manifest tells of {count(steps, 'step')}, metrics.jsonl of {len(metrics)}")
    if not _alike(loss, logged := _last_loss(metrics)):
        changes.append(
            f"the manifest's final loss is {_number(loss)}, metrics.jsonl ends with {_number(logged)}"
        )
    changes += _evaluated(manifest, evaluations or [])
    changes += _said_twice(manifest)
    if (
        last is not None
        and last.step == steps
        and differences(last.identity, mapping(manifest.get("identity")))
    ):
        changes.append("the manifest's identity is not that of its last checkpoint")
    return Check(Part.FIGURES, f"{count(steps, 'step')} and the evaluations as logged", tuple(changes))


def _last_loss(metrics: Sequence[Line]) -> Any:
    """Of the last step that was not left out, since its loss or its gradient was not finite."""
    done = (one["loss"] for one in reversed(metrics) if one.get("loss") is not None and _has_gradient(one))
    return next(done, None)


def _has_gradient(line: Line) -> bool:
    return line.get("gradient_norm", 0.0) is not None


def _said_twice(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What the manifest says of a run twice, by its identity."""
    model, pinned = mapping(manifest.get("model")), mapping(manifest.get("identity"))
    said: dict[str, tuple[Any, str]] = {
        "seed": (manifest.get("seed"), "recipe seed"),
        "algorithm": (manifest.get("algorithm"), "recipe algorithm"),
        "model": (model.get("name"), "base model"),
        "device": (model.get("device"), "device"),
        "number format": (model.get("dtype"), "number format"),
    }
    for name, (value, key) in said.items():
        if value is not None and key in pinned and str(value) != str(pinned[key]).strip('"'):
            yield f"the manifest says {name} {_short(value)}, its identity {_short(pinned[key])}"


def _short(value: object) -> str:
    return str(value)[:80]


def _evaluated(manifest: Mapping[str, Any], lines: Sequence[Line]) -> Iterator[str]:
    for when in ("before", "after"):
        said = mapping(manifest.get(when))
        logged = [one for one in lines if one.get("when") == when]
        if not said:
            continue
        if not logged:
            yield f"the manifest's figures {when} the training are in no log"
        elif any(not _alike(said.get(name), logged[-1].get(name)) for name in ("losses", "graded")):
            yield f"the manifest's figures {when} the training are not those of evaluations.jsonl"


def search_changes(search: Mapping[str, Any], report: Mapping[str, Any]) -> Iterator[str]:
    """What the report of a prompt search says otherwise than the run's manifest."""
    test = mapping(report.get("test"))
    said = {"verdict": report.get("verdict"), "gain": test.get("gain"), "p": test.get("p")}
    for name, value in said.items():
        if not _alike(search.get(name), value):
            yield f"search.json says {name} {value}, the manifest {search.get(name)}"


def data_check(stored: Mapping[str, Any], now: MixtureManifest) -> Check:
    """The data of a training prepared anew: source by source, and their order.

    Args:
        stored: the mixture's manifest as the run has it.
    """
    listed = stored.get("sources")
    sources = [mapping(one) for one in listed] if isinstance(listed, (list, tuple)) else []
    changed = _sources(sources, {one.name: one.fingerprint for one in now.sources})
    if not changed and now.digest != stored.get("digest"):
        changed = ["the same rows come in another order"]
    if not changed:
        changed = list(_counted(stored, sources, now))
    rows = sum(one.kept for one in now.sources)
    said = f"{count(rows, 'row')} of {count(len(now.sources), 'source')} as they were"
    return Check(Part.DATA, said, tuple(changed))


_COUNTS = (
    "read", "kept", "held_out", "dropped", "truncated", "split", "tokens", "trained_tokens", "grounded",
    "instructed",
)  # fmt: skip


def _counted(stored: Line, sources: Sequence[Line], now: MixtureManifest) -> Iterator[str]:
    """Numbers that the manifest tells otherwise than the same rows do."""
    for name in ("seed", "batching", "rows_planned"):
        if name in stored and stored[name] != (is_now := getattr(now, name)):
            yield f"the manifest says {name} {stored[name]}, it is {is_now}"
    by_name = {one.name: one for one in now.sources}
    for one in sources:
        source = by_name[str(one.get("name"))]
        for name in _COUNTS:
            number = getattr(source, name)
            if name in one and not _alike(one[name], number):
                yield f'source "{source.name}": the manifest says {name} {_short(one[name])}, it is {number}'


def _sources(stored: Sequence[Line], now: Mapping[str, str]) -> list[str]:
    before = {str(one.get("name")): one.get("fingerprint") for one in stored}
    changed = [
        f'source "{name}": its rows are others'
        for name, print_ in before.items()
        if name in now and now[name] != print_
    ]
    gone = [f'source "{name}": it is no more' for name in before if name not in now]
    return [*changed, *gone, *(f'source "{name}": it was not there' for name in now if name not in before)]


def _alike(one: Any, other: Any) -> bool:
    """The same figures; a float may have come through another writer of JSON."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, (int, float)):
        return isclose(one, other, rel_tol=1e-12)
    return bool(one == other)


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
