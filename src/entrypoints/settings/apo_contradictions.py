"""What holds between the keys of a recipe that searches a prompt, or uses one."""

from __future__ import annotations

from collections.abc import Iterator

from ...domain.errors import UsageError
from ...domain.prompt_program import COMPONENTS, QUESTION, placeholders
from ...domain.server_address import address_of, is_open
from .contradictions import contradiction, is_number, maps
from .document import Document, Keys
from .problems import quoted
from .prompt_texts import name_faults, text_fault, unsafe
from .validation import missing_key

ASKING = ("reflective", "history", "gepa")
"""Proposers that ask a language model."""

WRITERS = ("rules", *ASKING)
"""Proposers that change texts."""

DEMOS = "demos"
"""The component that is no text, and the proposer that changes it alone."""

PROPOSERS = (*WRITERS, DEMOS, "merge")

PROMPT_TEXTS = ("system", "procedure", "question", "values")


def check_apo(document: Document) -> None:
    """Reports C006 and C007 where keys do not go together."""
    _check_prompt_file(document)
    if document.sound("algorithm") != "apo":
        return
    if not document.get("rewards"):
        what = "apo looks for the prompt that is rewarded most, and there is no reward"
        contradiction(document, ("algorithm",), what, "add rewards, as [{kind: function_calling}]")
    _check_beginning(document)
    _check_procedure_of(document)
    _check_proposers(document)
    _check_optimizer(document)
    for key in ("generator", "optimizer"):
        _check_server(document, key)
    _check_replicates(document)
    _check_tasks(document)


def _check_prompt_file(document: Document) -> None:
    """A prompt file says all that is put around a row."""
    if not isinstance(document.sound("data", "prompt"), str):
        return
    if document.sound("data", "system_prompt") is not None:
        what = "the system prompt comes from data.prompt or from data.system_prompt, not from both"
        contradiction(document, ("data", "system_prompt"), what, "remove one of them")
    if document.sound("algorithm") == "apo":
        what = "a search begins with apo.prompt; data.prompt is for a training"
        contradiction(document, ("data", "prompt"), what, "write it as prompt under apo")


def _check_beginning(document: Document) -> None:
    if document.sound("apo", "prompt") is not None:
        for key in PROMPT_TEXTS:
            if document.sound("apo", key) is not None:
                what = f"the search begins with a prompt file, which has its own {key}"
                contradiction(document, ("apo", key), what, "remove one of them")
        return
    question, values = document.sound("apo", "question"), document.sound("apo", "values")
    if isinstance(question, str) and QUESTION not in placeholders(question):
        what = "what the user asks would not be asked"
        contradiction(document, ("apo", "question"), what, "put {question} where it belongs")
    names = values if isinstance(values, dict) else {}
    for name, what, fix in name_faults(name for name in names if isinstance(name, str)):
        contradiction(document, ("apo", "values", name), what, fix)
    for name, text in names.items():
        if isinstance(text, str) and (found := unsafe(text)):
            contradiction(document, ("apo", "values", name), *found)
    if document.is_wrong(("apo", "values")):
        return  # it is not known what stands for something
    for keys, text in _texts(document):
        if found := text_fault(str(keys[-1]), text, names, "apo.values"):
            contradiction(document, keys, *found)


def _check_procedure_of(document: Document) -> None:
    """What is found is to become a version of the procedure: nothing else may have brought the gain."""
    keys: Keys = ("apo", "procedure_of")
    if document.sound(*keys) is None:
        return
    for key in ("prompt", "procedure"):
        if document.sound("apo", key):
            what = f"the procedure to begin with comes from procedure_of or from {key}, not from both"
            contradiction(document, ("apo", key), what, "remove one of them")
    if document.sound("apo", "components") != ["procedure"] and not document.is_wrong(("apo", "components")):
        what = "the procedure alone may change, so that what is gained is gained by it"
        contradiction(document, keys, what, "write components: [procedure]")
    if document.sound("memory", "procedures") not in (None, "off"):
        what = "the procedure would stand in a prompt twice where it matches"
        contradiction(document, ("memory", "procedures"), what, "leave memory.procedures out")


def _texts(document: Document) -> Iterator[tuple[Keys, str]]:
    """Those that a search begins with, where they are written."""
    begins = "data", "system_prompt"
    places: list[Keys] = [("apo", "system"), ("apo", "procedure"), ("apo", "question")]
    if document.get("apo", "system") is None:
        places[0] = begins
    for keys in places:
        text = document.sound(*keys)
        if isinstance(text, str):
            yield keys, text


def _check_proposers(document: Document) -> None:
    """Somebody thinks of prompts from nothing; merge needs two of others."""
    given, proposers = document.sound("apo", "components"), document.sound("apo", "proposers")
    may = given if isinstance(given, list) else ["system", DEMOS]
    if not isinstance(proposers, list) or not proposers or not may:
        return
    if any(one not in PROPOSERS for one in proposers) or any(one not in (*COMPONENTS, DEMOS) for one in may):
        return  # a misspelt name has its own problem
    texts, demos = any(one != DEMOS for one in may), DEMOS in may
    if any(texts if one in WRITERS else demos for one in proposers if one != "merge"):
        return
    what = "none of these proposers changes what may be changed"
    wanted = [name for name, is_free in (("rules", texts), (DEMOS, demos)) if is_free]
    got = f"{', '.join(proposers)} for {', '.join(may)}"
    contradiction(document, ("apo", "proposers"), what, f"add {' or '.join(wanted)}", got=got)


def _check_optimizer(document: Document) -> None:
    proposers = document.get("apo", "proposers")
    for index, name in enumerate(proposers if isinstance(proposers, list | tuple) else ()):
        keys: Keys = ("apo", "proposers", index)
        if name in ASKING and not document.get("apo", "optimizer") and not document.is_wrong(keys):
            what = f"{name} asks a language model, and there is none"
            contradiction(document, keys, what, "add apo.optimizer, as {kind: policy}")
        elif name in ASKING and not document.get("apo", "budget", "optimizer_calls"):
            what = f"{name} asks a language model, and no call of it may be spent"
            contradiction(document, keys, what, "raise apo.budget.optimizer_calls, to 40 for example")


def _check_server(document: Document, key: str) -> None:
    kind = document.sound("apo", key, "kind") or "policy"
    for name in ("url", "model"):
        keys: Keys = ("apo", key, name)
        if kind == "openai" and document.get(*keys) is None and not document.is_wrong(("apo", key)):
            example = "url: http://localhost:8000/v1" if name == "url" else "model: its name on the server"
            document.report(keys, missing_key(keys, document, example))
    if kind == "openai":
        _check_address(document, key)
    if kind != "openai":
        for name in ("url", "model", "api_key_env"):
            if document.sound("apo", key, name) is not None:
                what = f"{name} is for the kind openai alone"
                contradiction(document, ("apo", key, name), what, "set kind to openai, or remove it")


def _check_address(document: Document, key: str) -> None:
    keys: Keys = ("apo", key, "url")
    url = document.sound(*keys)
    if not isinstance(url, str):
        return
    address = address_of(url)
    where, got = document.value_place(keys), quoted(str(document.as_written(keys)))
    if address is None:
        what, fix = (
            f"{document.dotted(keys)} is no address of a model's server",
            "write it as http://localhost:8000/v1",
        )
        document.report(keys, UsageError("C010", what, where=where, got=got, fix=fix))
    elif document.sound("apo", key, "api_key_env") and is_open(address):
        what = "the server's key would be sent unencrypted"
        document.report(keys, UsageError("C010", what, where=where, got=got, fix="write https://..."))


def _check_replicates(document: Document) -> None:
    replicates = document.sound("apo", "replicates")
    if is_number(replicates) and replicates > 1 and not document.get("apo", "temperature"):
        what = "greedy answers to the same task are all the same"
        contradiction(document, ("apo", "replicates"), what, "set a temperature, or leave replicates out")


def _check_tasks(document: Document) -> None:
    """There are rows to prove the winner on."""
    sources = list(maps(document, "data", "sources"))
    held = [document.sound("data", "sources", index, "holdout") for index, _ in sources]
    if sources and all(count == 0 for count in held):
        what = "no source holds rows out, and the winner is to be proven on them"
        contradiction(document, ("data", "sources", 0, "holdout"), what, "raise it")
    for index, source in sources:
        if source.get("kind") == "replay":
            what = "a replayed source is answered by the model itself: it has no right answers"
            contradiction(document, ("data", "sources", index, "kind"), what, "leave the source out")
