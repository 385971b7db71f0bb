"""Which reward is meant by a name on a command line, and which golden cases are its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ..domain.errors import UsageError
from ..domain.reward_cases import GoldenCase
from .golden_cases import cases_beside, read_cases, shipped_cases
from .settings.problems import pick, quoted

if TYPE_CHECKING:
    from .rewards_by_name import RewardsByName
    from .settings import LoadedRecipe


@dataclass(frozen=True, slots=True)
class ChosenReward:
    """A reward among others, and what it is to be tried on."""

    rewards: RewardsByName
    name: str
    cases: Sequence[GoldenCase]


def choose_reward(
    name: str, cases: Path | None, loaded: LoadedRecipe | None, *, unsafe: bool = False
) -> ChosenReward:
    """A reward of the recipe, a built-in one, ``module:function`` or what a package offers; in this order.

    Args:
        cases: a file, instead of the reward's own.
        unsafe: programs are run without a sandbox.

    Raises:
        UsageError: C071 to C074, and those of YAML.
    """
    from .container import make_container
    from .reward_wiring import UNSAFE

    config = {
        **(loaded.recipe.model_dump() if loaded else {}),
        "root": str(loaded.root if loaded else Path.cwd()),
    }
    own = {one.called: one.model_dump() for one in loaded.recipe.rewards} if loaded else {}
    settings = own.get(name) or _unnamed(name, list(own))
    file = read_cases(cases or _own_cases(name, settings, Path(config["root"]), is_set=name in own))
    if name not in own and settings:
        settings = _checked(
            {**settings, **file.options, "kind": settings["kind"], "name": _called(name)}, name
        )
        config["rewards"] = (*own.values(), settings)
    if unsafe:
        config["sandbox"] = {**config.get("sandbox", {}), "tier": UNSAFE}
    return ChosenReward(make_container(config).rewards(), _called(name), file.cases)


def _called(name: str) -> str:
    """A name as a recipe may write it."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def _unnamed(name: str, own: Sequence[str]) -> dict[str, Any]:
    """The settings of a reward that is in no recipe; none for the blend of those that are."""
    from .settings.reward_settings import BLEND, Reward, kind_of, offered_rewards
    from .settings.section import OWN_CODE

    kinds = [kind_of(model) for model in get_args(Reward) if kind_of(model) != "function"]
    if name in kinds:
        return {"kind": name}
    if re.match(OWN_CODE, name) or name in offered_rewards():
        return {"kind": "function", "function": name}
    if name == BLEND and own:
        return {}
    known = [*own, *kinds, *offered_rewards()]
    fix = f"{pick(name, known)} · a function of your own is named as my_file:my_function"
    raise UsageError("C072", f"no reward is called {quoted(name)}", fix=fix)


def _own_cases(name: str, settings: Mapping[str, Any], root: Path, *, is_set: bool) -> Path:
    """Beside the module, or those that come with cesello, where these fit whatever the options are."""
    module, colon, _ = settings.get("function", "").partition(":")
    if colon:
        return cases_beside(module, root)
    shipped = shipped_cases(settings.get("kind", ""))
    if shipped is None or (is_set and settings["kind"] in ("format", "length")):
        fix = "write right and wrong answers into a file and name it with --cases"
        raise UsageError("C073", f"{quoted(name)} has no golden cases of its own", fix=fix)
    return shipped


def _checked(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The settings with their defaults."""
    from pydantic import ValidationError

    from .settings.reward_settings import Reward, kind_of

    [model] = [each for each in get_args(Reward) if kind_of(each) == settings["kind"]]
    try:
        return dict(model.model_validate(settings).model_dump())
    except ValidationError as cause:
        first = cause.errors()[0]
        where = ".".join(map(str, first["loc"]))
        fix = "put the reward into a recipe and name that with --recipe, or its options into the cases"
        what = f"{quoted(name)} needs other options"
        raise UsageError("C074", what, where=where, got=first["msg"], fix=fix) from cause
