"""What holds between the keys of a recipe that searches a prompt, or uses one."""

from __future__ import annotations

from ...domain.prompt_program import QUESTION, placeholders
from .contradictions import contradiction, is_number, maps
from .document import Document, Keys
from .problems import quoted
from .validation import missing_key

ASKING = ("reflective", "history", "gepa")
"""Proposers that ask a language model."""

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
    known = {QUESTION, *(values if isinstance(values, dict) else ())}
    if isinstance(question, str) and QUESTION not in placeholders(question):
        what = "what the user asks would not be asked"
        contradiction(document, ("apo", "question"), what, "put {question} where it belongs")
    if isinstance(values, dict) and QUESTION in values:
        what = "{question} stands for what each task asks"
        contradiction(document, ("apo", "values", QUESTION), what, "call the placeholder something else")
    for key in ("system", "procedure", "question"):
        text = document.sound("apo", key)
        allowed = known if key == "question" else known - {QUESTION}
        strange = sorted(placeholders(text) - allowed) if isinstance(text, str) else []
        if strange and not document.is_wrong(("apo", key)):
            what = f"nothing says what {quoted('{' + strange[0] + '}')} stands for"
            contradiction(document, ("apo", key), what, "add it to apo.values, or take the braces away")


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
    if kind != "openai":
        for name in ("url", "model", "api_key_env"):
            if document.sound("apo", key, name) is not None:
                what = f"{name} is for the kind openai alone"
                contradiction(document, ("apo", key, name), what, "set kind to openai, or remove it")


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
