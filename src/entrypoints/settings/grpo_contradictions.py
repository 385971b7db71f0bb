"""What holds between the keys of a recipe that reinforces."""

from __future__ import annotations

from .contradictions import contradiction
from .document import Document
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
