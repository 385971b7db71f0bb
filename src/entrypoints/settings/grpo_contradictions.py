"""What holds between the keys of a recipe that reinforces."""

from __future__ import annotations

from .contradictions import contradiction
from .document import Document


def check_grpo(document: Document) -> None:
    """Reports C006 and C007 where keys do not go together."""
    vllm, engine = document.get("grpo", "vllm"), document.sound("grpo", "engine")
    if engine == "vllm" and not vllm:
        what = "nothing says where the vLLM server is"
        contradiction(
            document, ("grpo", "engine"), what, "add grpo.vllm with its url, or choose another engine"
        )
    if document.sound("algorithm") != "grpo":
        return
    if not document.get("rewards"):
        what = "grpo makes more of what is rewarded, and there is no reward"
        contradiction(document, ("algorithm",), what, "add rewards, as [{kind: reasoning_gym}]")
    if document.sound("training", "batching") not in (None, "rows"):
        what = "prompts are neither grouped nor packed"
        contradiction(document, ("training", "batching"), what, "leave training.batching out")
    if document.sound("training", "strategy") == "fsdp":
        what = "completions are not drawn from weights that are spread over processes"
        contradiction(document, ("training", "strategy"), what, "set training.strategy to ddp")
