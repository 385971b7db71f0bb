"""Whether a training fits the memory, before anything is loaded, and what to change where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..domain.errors import ModelError
from ..domain.footprint import DeviceMemory, Evaluating, Footprint, ForwardPass, RowSize, fits, is_tight
from ..domain.model_spec import LoraSpec, ModelSpec
from ..domain.ports.model import Devices, MemoryPredictor

_GIB = 2**30
_SHORTEST = 256
"""Rows are not cut below so many tokens."""


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """What a training holds depends on.

    Attributes:
        quantizer: its name.
        batch_size: rows of the pass, or where they are packed, sequences.
        accumulate: forward passes of a step.
        memory: of the device to plan for; None asks the device that the model is for.
        loaded: whether the model is in the memory already, so that what is free is without it.
    """

    model: ModelSpec
    quantizer: str
    lora: LoraSpec
    work: ForwardPass
    evaluating: Evaluating
    batch_size: int = 1
    accumulate: int = 1
    memory: DeviceMemory | None = None
    loaded: bool = False


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of the recipe, on top of those before it.

    Attributes:
        changes: keys and values, as they are written behind ``--set``.
        cost: in words.
        footprint: with the change.
    """

    changes: Mapping[str, str]
    cost: str
    footprint: Footprint
    fits: bool


@dataclass(frozen=True, slots=True)
class MemoryCheck:
    """What a training takes of a device.

    Attributes:
        tight: whether it fits a CPU's memory only where the allocator gives back what is not in use.
        remedies: what to change where it does not fit, the cheapest first, until it does.
    """

    footprint: Footprint
    memory: DeviceMemory
    fits: bool
    tight: bool
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    """One thing that can be changed."""

    changes: Mapping[str, str]
    cost: str
    request: MemoryRequest


class CheckMemory:
    """Predicts and compares."""

    def __init__(self, predictor: MemoryPredictor, devices: Devices) -> None:
        self._predictor = predictor
        self._devices = devices
        self._known: dict[tuple[object, ...], Footprint] = {}

    def __call__(self, request: MemoryRequest) -> MemoryCheck:
        """What the training takes, and of how much.

        Raises:
            ModelError: those of the predictor, and M005 when the device is not here.
        """
        model = request.model
        memory = request.memory or self._devices.memory(model.device, spread=model.device_map is not None)
        footprint = self.footprint(request)
        if request.loaded and memory.free is not None:
            memory = replace(memory, free=memory.free + footprint.weights + footprint.lora)
        fit = fits(footprint, memory)
        remedies = () if fit else tuple(self._remedies(request, footprint, memory))
        return MemoryCheck(footprint, memory, fit, is_tight(footprint, memory), remedies)

    def or_refuse(self, request: MemoryRequest) -> MemoryCheck:
        """The same, for somebody who is about to load the model.

        Raises:
            ModelError: M006 when the training does not fit.
        """
        check = self(request)
        if not check.fits:
            raise _too_big(request, check)
        return check

    def footprint(self, request: MemoryRequest) -> Footprint:
        """What the training takes, whatever there is."""
        asked = (request.model, request.quantizer, request.lora, request.work, request.evaluating)
        if asked not in self._known:
            self._known[asked] = self._predictor.footprint(*asked)
        return self._known[asked]

    def _remedies(
        self, request: MemoryRequest, footprint: Footprint, memory: DeviceMemory
    ) -> Iterator[Remedy]:
        writes = footprint.resting + footprint.evaluation > footprint.training
        for change in _changes(request, memory, writes):
            then = self.footprint(change.request)
            fit = fits(then, memory)
            yield Remedy(change.changes, change.cost, then, fit)
            if fit:
                return


def _changes(request: MemoryRequest, memory: DeviceMemory, writes: bool) -> Iterator[_Change]:
    """Changes on top of each other, the cheapest first.

    Args:
        writes: whether most is held when answers are written, not when weights are trained.
    """
    if writes and request.evaluating.answers > 1:
        request = replace(request, evaluating=replace(request.evaluating, answers=1))
        yield _Change({"evaluation.batch_size": "1"}, "answers are written one after the other", request)
    if request.batch_size > 1:
        rows = _of_one(request.work.rows, request.batch_size)
        request = replace(request, work=replace(request.work, rows=rows, accumulates=True))
        passes = str(request.batch_size * request.accumulate)
        changes = {"training.batch_size": "1", "training.accumulate": passes}
        yield _Change(changes, "the same steps, in more and smaller passes", request)
    if not request.work.checkpointing:
        request = replace(request, work=replace(request.work, checkpointing=True))
        yield _Change({"training.gradient_checkpointing": "true"}, "about a third more time", request)
    if not request.work.offloads and memory.device == "cuda":
        request = replace(request, work=replace(request.work, offloads=True))
        cost = "copies to the host and back, some time"
        yield _Change({"training.activation_offload": "true"}, cost, request)
    # PiSSA takes part of the weights away, which quantised ones cannot give.
    if request.quantizer in ("none", "int8", "torchao_int8") and request.lora.init != "pissa":
        request = replace(request, quantizer="nf4")
        yield _Change({"quantizer.name": "nf4"}, "the base weights rounded to 4 bits", request)
    tokens = sum(row.tokens for row in request.work.rows)
    while tokens // 2 >= _SHORTEST:
        tokens //= 2
        request = replace(request, work=replace(request.work, rows=_cut(request.work.rows, tokens)))
        yield _Change({"data.max_tokens": str(tokens)}, "longer rows are cut or left out", request)


def _of_one(rows: Sequence[RowSize], batch_size: int) -> tuple[RowSize, ...]:
    """The rows of a batch of one: the longest, or of packed sequences those that fill one."""
    if len(rows) <= batch_size:
        return (max(rows, key=lambda row: row.tokens),)
    return _cut(rows, -(-sum(row.tokens for row in rows) // batch_size))


def _cut(rows: Sequence[RowSize], tokens: int) -> tuple[RowSize, ...]:
    """The first rows, as many as have so many tokens, the last of them cut."""
    kept: list[RowSize] = []
    for row in rows:
        left = tokens - sum(one.tokens for one in kept)
        if left <= 0:
            break
        kept.append(RowSize(min(row.tokens, left), min(row.trained, left)))
    return tuple(kept)


def _too_big(request: MemoryRequest, check: MemoryCheck) -> ModelError:
    memory = check.memory
    # Later changes of a key take the place of earlier ones.
    changes = {key: value for remedy in check.remedies for key, value in remedy.changes.items()}
    enough = bool(check.remedies) and check.remedies[-1].fits
    named = ", ".join(f"{key}={value}" for key, value in changes.items())
    fix = f"set {named}" if enough else "take a smaller model or a device with more memory"
    return ModelError(
        "M006",
        "the training does not fit the memory",
        where=f"{request.model.name} on {memory.name}",
        got=f"{check.footprint.peak / _GIB:.1f} GiB needed at the peak",
        expected=f"at most the {(memory.free or 0) / _GIB:.1f} GiB that are free",
        fix=f"{fix}; `cesello plan` shows what takes how much",
    )
