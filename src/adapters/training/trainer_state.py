"""A training between two steps as files, and back: LoRA weights, the optimizer's moments, the schedule."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor

from ...domain.checkpoint import Checkpoint
from ...domain.errors import UsageError
from . import workers
from .sharding import spread_like, whole

WEIGHTS, MOMENTS = "lora.safetensors", "optimizer.safetensors"
_RATES = ("optimizer", "learning_rate", "weight_decay", "warmup_steps", "max_steps", "final_learning_rate")


class LightningState:
    """The state of a module that is being trained.

    Tensors go to safetensors, under the names of the weights they belong to; numbers to plain data, in which
    floats are written so that they are read back to the bit.
    """

    def __init__(self, module: Any) -> None:
        self._module = module

    @property
    def plain(self) -> Mapping[str, Any]:
        optimizer, schedule = self._parts()
        return {
            "groups": [_plain(group) for group in optimizer.state_dict()["param_groups"]],
            "numbers": {place: v for place, v in self._moments() if not isinstance(v, torch.Tensor)},
            "schedule": _plain(schedule.state_dict()),
            "splits": self._module.splitter.splits,
            "plan": self._rates(),
            "own": plain_state(self._module.own_state(), type(self._module)),
            "callbacks": {
                one.state_key: plain_state(state, type(one))
                for one in self._module.trainer.callbacks
                if (state := one.state_dict())
            },
        }

    def agreed(self, figure: float) -> float:
        return workers.same_for_all(figure)[0]

    def save(self, folder: Path) -> None:
        weights = {name: _copied(whole(weight)) for name, weight in trained(self._module.model).items()}
        moments = {place: _copied(whole(v)) for place, v in self._moments() if isinstance(v, torch.Tensor)}
        if workers.number() == 0:
            save_file(weights, folder / WEIGHTS)
            save_file(moments, folder / MOMENTS)

    def _moments(self) -> Iterator[tuple[str, Any]]:
        """All that the optimizer keeps, as (weight/kind, value); 8-bit ones keep scales a level deeper."""
        names = list(trained(self._module.model))
        optimizer, _ = self._parts()
        for index, values in optimizer.state_dict()["state"].items():
            yield from _flat(values, names[index])

    def load(self, checkpoint: Checkpoint) -> None:
        """Brings the module to the state of a checkpoint."""
        load_weights(self._module.model, checkpoint.path)
        optimizer, schedule = self._parts()
        rest = checkpoint.state.optimizer
        moments: dict[str, Any] = dict(load_file(checkpoint.path / MOMENTS)) | dict(rest["numbers"])
        weights = trained(self._module.model)
        places = {name: index for index, name in enumerate(weights)}
        state: dict[int, dict[str, Any]] = {}
        for place, value in moments.items():
            name, *above, kind = place.split("/")
            part = state.setdefault(places[name], {})
            for key in above:
                part = part.setdefault(key, {})
            part[kind] = spread_like(value, weights[name]) if isinstance(value, torch.Tensor) else value
        if rest["plan"] == self._rates():
            groups = [dict(one) for one in rest["groups"]]
            schedule.load_state_dict(_with_schedulers(rest["schedule"]))
        else:
            self._walk(schedule, checkpoint.state.step)
            groups = optimizer.state_dict()["param_groups"]
        if rest["plan"]["optimizer"] != self._module.plan.optimizer:
            state = {}  # moments of another kind are of no use
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        self._module.load_own_state(rest["own"])
        for one in self._module.trainer.callbacks:
            if one.state_key in rest["callbacks"]:
                one.load_state_dict(dict(rest["callbacks"][one.state_key]))

    def _rates(self) -> dict[str, Any]:
        """What the optimizer and its schedule were made from."""
        plan = self._module.plan
        return {name: getattr(plan, name) for name in _RATES}

    def _walk(self, schedule: Any, steps: int) -> None:
        """Brings a schedule that was changed to where it would be."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            for _ in range(steps):
                schedule.step()

    def _parts(self) -> tuple[Any, Any]:
        return self._module.optimizers().optimizer, self._module.lr_schedulers()


def trained(model: Any) -> dict[str, torch.nn.Parameter]:
    """The weights that are trained, by name, in the optimizer's order."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def load_weights(model: Any, folder: Path) -> None:
    """Gives a model a checkpoint's trained weights: in all processes those that the first finds there."""
    first = workers.number() == 0
    saved = load_file(folder / WEIGHTS) if first else {}
    with torch.no_grad():
        for name, weight in trained(model).items():
            full = saved[name].to(weight.device) if first else _empty_like(weight)
            spread = isinstance(weight, DTensor)
            weight.copy_(spread_like(full, weight) if spread else workers.give(full))


def _empty_like(weight: torch.Tensor) -> torch.Tensor:
    return torch.empty(weight.shape, dtype=weight.dtype, device=weight.device)


def plain_state(state: Mapping[str, Any], owner: type) -> dict[str, Any]:
    """What somebody's own class wants to keep.

    Raises:
        UsageError: C058 when it is more than plain data.
    """
    try:
        json.dumps(dict(state), allow_nan=False)
        _check_keys(state)
    except (TypeError, ValueError) as cause:
        raise UsageError(
            "C058",
            f"the state of {owner.__name__} cannot be kept in a checkpoint",
            got=str(cause),
            expected="numbers, text, lists and maps, as JSON has them",
            fix="give such from own_state or state_dict",
        ) from cause
    return dict(state)


def _check_keys(value: Any) -> None:
    """JSON would make text of a key that is none."""
    if isinstance(value, Mapping):
        if strange := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"the key {strange[0]!r} is no text")
        _check_keys(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            _check_keys(one)


def _flat(values: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}/{key}")
        else:
            yield f"{above}/{key}", value


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    """Safetensors takes no two names for one storage."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, torch.Tensor) else value


def _with_schedulers(state: Mapping[str, Any]) -> dict[str, Any]:
    """Torch takes states apart while it loads them."""
    copied = dict(state)
    if "_schedulers" in copied:
        copied["_schedulers"] = [dict(one) for one in copied["_schedulers"]]
    return copied
