"""What holds between the keys of a recipe that reinforces."""

from __future__ import annotations

from .contradictions import contradiction, is_number
from .document import Document
from .grpo_settings import GrpoSettings
from .problems import quoted


def check_grpo(document: Document) -> None:
    """Reports C006 and C007 where keys do not go together."""
    vllm, engine = document.get("grpo", "vllm"), document.sound("grpo", "engine")
    if engine == "vllm" and not vllm:
        what = "nothing says where the vLLM server is"
        contradiction(
            document, ("grpo", "engine"), what, "add grpo.vllm with its url, or choose another engine"
        )
    if document.sound("algorithm") != "grpo":
        if document.sound("memory", "procedures") == "guided":
            what = "steps come after answers, and only grpo has completions of several"
            contradiction(document, ("memory", "procedures"), what, "let it be full or catalog")
        return
    _check_tools(document)
    _check_clip(document)
    _check_updates(document)
    _check_engine(document)
    if document.sound("memory", "procedures") == "guided" and document.sound("grpo", "max_turns") == 1:
        what = "a completion of one answer is over before a second step"
        contradiction(document, ("grpo", "max_turns"), what, "let it be as many as the steps, or more")
    if not document.get("rewards"):
        what = "grpo makes more of what is rewarded, and there is no reward"
        contradiction(document, ("algorithm",), what, "add rewards, as [{kind: reasoning_gym}]")
    if document.sound("training", "batching") not in (None, "rows"):
        what = "prompts are neither grouped nor packed"
        contradiction(document, ("training", "batching"), what, "leave training.batching out")
    if document.sound("training", "strategy") == "fsdp":
        what = "completions are not drawn from weights that are spread over processes"
        contradiction(document, ("training", "strategy"), what, "set training.strategy to ddp")


def _check_clip(document: Document) -> None:
    dual, high = document.sound("grpo", "dual_clip"), document.sound("grpo", "clip_high")
    high = GrpoSettings.model_fields["clip_high"].default if high is None else high
    if is_number(dual) and is_number(high) and dual <= 1 + high:
        what = "it would end where clip_high does not yet"
        fix, expected = "raise dual_clip, or lower clip_high", f"more than {1 + high:g}, 1 + grpo.clip_high"
        contradiction(document, ("grpo", "dual_clip"), what, fix, got=f"{dual:g}", expected=expected)


def _check_updates(document: Document) -> None:
    """A rollout is drawn for all of its updates."""
    steps, updates = document.sound("training", "max_steps"), document.sound("grpo", "updates")
    if is_number(steps) and is_number(updates) and steps % updates:
        under, over = steps - steps % updates, steps - steps % updates + updates
        what = f"a rollout serves {updates} steps, and the last one would serve {steps - under}"
        nearest = f"{under} or {over}" if under else f"{over}"
        contradiction(document, ("training", "max_steps"), what, f"write {nearest}, or other grpo.updates")


def _check_engine(document: Document) -> None:
    """Another engine tells probabilities among the tokens that it draws from, and knows fewer weights."""
    engine, top_p = document.sound("grpo", "engine"), document.sound("grpo", "top_p")
    if engine in ("transformers", "vllm") and is_number(top_p) and top_p < 1:
        what = f"{engine} tells probabilities within top_p, by which its error cannot be corrected"
        contradiction(document, ("grpo", "top_p"), what, "set top_p to 1, or choose the engine local")
    if engine == "vllm":
        for key in ("dora", "modules_to_save"):
            if document.sound("lora", key):
                what = f"vLLM does not load LoRA weights with {key}"
                contradiction(document, ("lora", key), what, "leave it out, or choose the engine local")


def _check_tools(document: Document) -> None:
    tools = document.get("grpo", "tools")
    if not isinstance(tools, (list, tuple)) or not tools:
        return
    if document.sound("grpo", "max_turns") == 1:
        what = "a completion of one answer is over before a tool is called"
        contradiction(document, ("grpo", "max_turns"), what, "let it be 2 or more, or leave out grpo.tools")
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        name = tool.rpartition(":")[2] if isinstance(tool, str) else ""
        if name in seen and not document.is_wrong(("grpo", "tools", index)):
            what = f"two tools are called {quoted(name)}"
            contradiction(document, ("grpo", "tools", index), what, "give one of the functions another name")
        seen |= {name} - {""}
