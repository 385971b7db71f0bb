"""What holds between the keys of a recipe.

These checks look at the values as written, not at a validated recipe, so that a contradiction is told
together with all other mistakes; a value of the wrong type is passed over, it has its own problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from ...domain.errors import UsageError
from .document import Document, Keys
from .problems import pick, quoted
from .validation import missing_key


def check_contradictions(document: Document) -> None:
    """Reports C006 to C009 where keys do not go together."""
    _check_steps(document)
    _check_offload(document)
    _check_schedules(document)
    _check_names(document)
    _check_weights(document)
    _check_lengths(document)
    _check_code(document)
    _check_functions(document)
    _check_streams(document)
    _check_generate(document)
    _check_beginning(document)


def _check_steps(document: Document) -> None:
    keys: Keys = ("training", "max_steps")
    steps, stop = document.get(*keys), document.get("data", "mixture", "stop")
    if (
        document.get("algorithm") != "apo"
        and steps is None
        and stop in (None, "max_steps")
        and not document.is_wrong(keys)
    ):
        example = "max_steps: 100 under training, or set data.mixture.stop to first_exhausted or all_seen"
        document.report(keys, missing_key(keys, document, example))
    steps, warmup = document.sound(*keys), document.sound("training", "warmup_steps")
    if is_number(steps) and is_number(warmup) and steps < warmup:
        contradiction(
            document,
            ("training", "warmup_steps"),
            "the warmup is longer than the training",
            "lower warmup_steps or raise max_steps",
            got=f"{warmup} steps of warmup",
            expected=f"at most {steps}, training.max_steps",
        )


def _check_offload(document: Document) -> None:
    keys: Keys = ("training", "activation_offload")
    again = document.sound("training", "gradient_checkpointing")
    if document.sound(*keys) is True and again is not True:
        what = "only what gradient_checkpointing keeps can wait in the host's memory"
        contradiction(document, keys, what, "set gradient_checkpointing to true as well")


def _check_schedules(document: Document) -> None:
    """What depends on evaluations on the way needs some, and the best checkpoint is to be kept."""
    if document.sound("checkpoint", "final") == "best" and document.sound("checkpoint", "keep_best") == 0:
        what = "the training ends with the best checkpoint, and it is not kept"
        contradiction(document, ("checkpoint", "keep_best"), what, "set keep_best to 1, or final to last")
    if document.sound("evaluation", "every_steps") is not None:
        return
    if document.sound("evaluation", "patience") is not None:
        what = "without evaluations on the way nothing tells when the loss falls no more"
        contradiction(document, ("evaluation", "patience"), what, "set evaluation.every_steps as well")
    if document.sound("checkpoint", "final") == "best":
        what = "without evaluations on the way no checkpoint is the best"
        contradiction(document, ("checkpoint", "final"), what, "set evaluation.every_steps as well")


def _check_names(document: Document) -> None:
    seen: dict[str, int] = {}
    for index, source in _sources(document):
        name = source.get("name")
        if isinstance(name, str) and name in seen:
            keys: Keys = ("data", "sources", index, "name")
            first = document.value_place(("data", "sources", seen[name], "name"))
            problem = UsageError(
                "C008",
                f"two sources are called {quoted(document.as_written(keys))}",
                where=document.value_place(keys),
                fix=f"rename one of them; the first is at {first}",
            )
            document.report(keys, problem)
        elif isinstance(name, str):
            seen[name] = index


def _check_weights(document: Document) -> None:
    keys = [
        ("data", "sources", index, "weight") for index, source in _sources(document) if "weight" in source
    ]
    if is_number(document.sound("data", "mixture", "temperature")):
        what = "shares come from data.mixture.temperature or from weights, not from both"
        for weight in keys:
            contradiction(document, weight, what, "remove the weight, or set the temperature to null")
    elif (
        keys and len(keys) == len(list(_sources(document))) and all(document.sound(*key) == 0 for key in keys)
    ):
        what = "all weights are zero: there is nothing to train on"
        contradiction(document, keys[0], what, "give at least one source a weight above 0")


def _check_lengths(document: Document) -> None:
    for index, _ in _sources(document):
        keys: Keys = ("data", "sources", index)
        shortest = document.sound(*keys, "min_characters")
        longest = document.sound(*keys, "max_characters")
        if is_number(shortest) and is_number(longest) and shortest > longest:
            contradiction(
                document,
                (*keys, "min_characters"),
                "no conversation can be that long and that short",
                "lower min_characters or raise max_characters",
                got=f"at least {shortest}",
                expected=f"at most {longest}, max_characters",
            )


def _check_code(document: Document) -> None:
    """Code comes from one place."""
    places = ("modules", "package", "folder")
    for keys, source in _sources_of_kind(document, "stdlib"):
        given = [place for place in places if source.get(place) is not None]
        if len(given) > 1:
            what = f"functions come from {given[0]} or from {given[1]}, not from both"
            contradiction(document, (*keys, given[1]), what, "remove one, or make two sources of it")


def _check_functions(document: Document) -> None:
    for keys, source in _sources_of_kind(document, "python"):
        given = [key for key in ("function", "entry_point") if source.get(key) is not None]
        if len(given) > 1:
            what = "rows come from a function or from an entry_point, not from both"
            contradiction(document, (*keys, "entry_point"), what, "remove one of them")
        elif not given and not document.is_wrong(keys):
            example = "function: module:function, of a file under root, or an entry_point"
            document.report(keys, missing_key((*keys, "function"), document, example))


def _check_streams(document: Document) -> None:
    for keys, source in _sources_of_kind(document, "hub"):
        split = document.sound(*keys, "split")
        if isinstance(split, str) and "[" in split and source.get("streaming") is True:
            what = "a stream has no slices of a split"
            part = quoted(split[split.index("[") :])
            fix = f"write slice: {part} and the split without it, or set streaming to false"
            contradiction(document, (*keys, "split"), what, fix)


def _check_generate(document: Document) -> None:
    named = ((source.get("name"), index) for index, source in _sources(document))
    places = {name: index for name, index in named if isinstance(name, str)}
    for index, _ in maps(document, "evaluation", "generate"):
        keys: Keys = ("evaluation", "generate", index, "source")
        name = document.sound(*keys)
        if not isinstance(name, str) or not places:
            continue
        if name not in places:
            what, where = (
                f"no source is called {quoted(document.as_written(keys))}",
                document.value_place(keys),
            )
            document.report(keys, UsageError("C009", what, where=where, fix=pick(name, places)))
        elif document.sound("data", "sources", places[name], "holdout") == 0:
            what = f"{quoted(document.as_written(keys))} holds no rows out to be evaluated on"
            contradiction(document, keys, what, "raise its holdout, or remove it from evaluation.generate")


def _check_beginning(document: Document) -> None:
    """How LoRA weights begin goes with how the base weights are stored."""
    keys: Keys = ("lora", "init")
    init, quantizer = document.sound(*keys), document.sound("quantizer", "name") or "none"
    rank = document.sound("lora", "r")
    if init == "pissa" and quantizer != "none":
        what = "pissa takes part of the base weights away, and quantised ones cannot give it"
        contradiction(document, keys, what, "write loftq, or set quantizer.name to none")
    elif init == "pissa" and document.sound("lora", "dora") is True:
        what = "pissa changes the weights whose magnitude dora would learn"
        contradiction(document, keys, what, "choose one of the two")
    elif document.sound("lora", "dora") is True and quantizer == "int8":
        what = "dora reads weights that bitsandbytes' int8 keeps to itself"
        fix = "choose nf4 or torchao_int8, or set dora to false"
        contradiction(document, ("lora", "dora"), what, fix)
    elif init == "loftq" and quantizer == "none":
        what = "loftq makes up for quantisation, and nothing is quantised"
        contradiction(document, keys, what, "write pissa or default, or set quantizer.name to nf4")
    elif init == "orthogonal" and is_number(rank) and rank % 2:
        what = "orthogonal halves the rank"
        contradiction(document, ("lora", "r"), what, "choose an even r", got=f"r {rank}", expected="even")
    start: Keys = ("lora", "continue_from")
    if isinstance(document.sound(*start), str):
        for key in ("r", "alpha", "dropout", "target_modules", "rslora", "dora", "init", "modules_to_save"):
            if document.get("lora", key) is not None:
                what = f"weights that are gone on from have their own {key}"
                contradiction(document, ("lora", key), what, "remove it, or begin anew without continue_from")


def contradiction(document: Document, keys: Keys, what: str, fix: str, **comparison: str) -> None:
    """Reports C007."""
    where = document.value_place(keys)
    document.report(keys, UsageError("C007", what, where=where, fix=fix, **comparison))


def _sources(document: Document) -> Iterator[tuple[int, dict[str, Any]]]:
    return maps(document, "data", "sources")


def _sources_of_kind(document: Document, kind: str) -> Iterator[tuple[Keys, dict[str, Any]]]:
    for index, source in _sources(document):
        if source.get("kind") == kind:
            yield ("data", "sources", index), source


def maps(document: Document, *keys: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The maps of a list, with their indices."""
    items = document.get(*keys)
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict):
            yield index, item


def is_number(value: Any) -> TypeGuard[int | float]:
    """Which true and false are in Python, and here not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
