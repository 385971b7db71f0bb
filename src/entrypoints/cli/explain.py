"""``cesello explain``: what a recipe's training minimises, exactly."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "overrides", "--set", multiple=True, metavar="KEY=VALUE", help="Change a key, as grpo.beta=0.04."
)
def explain(recipe: Path, overrides: tuple[str, ...]) -> None:
    """Print the objective of RECIPE as a formula and in words, with its values, and how others' differ.

    Nothing is loaded.
    """
    from ...domain.errors import UsageError
    from ...domain.objective_text import Setting, explanation
    from ..grpo_wiring import reinforcement_plan
    from ..settings.loader import load_recipe
    from .tools_text import tools_text

    loaded = load_recipe(recipe, overrides).recipe
    if loaded.algorithm == "sft":
        click.echo(_SFT, nl=False)
        return
    if loaded.algorithm == "apo":
        click.echo(_APO, nl=False)
        return
    if loaded.algorithm != "grpo":
        what = f'only the author of "{loaded.algorithm}" knows what it minimises'
        raise UsageError("C096", what, where="algorithm", fix="read its code")
    plan = reinforcement_plan(loaded.grpo.model_dump())
    setting = Setting(
        plan.completions,
        plan.temperature,
        plan.top_p,
        other_engine=loaded.grpo.engine != "local",
        continues=loaded.lora.continue_from is not None,
        resample=plan.resample,
        target=plan.curriculum.target if plan.curriculum else None,
        candidates=plan.curriculum.candidates if plan.curriculum else 1,
        tools=[name.rpartition(":")[2] for name in loaded.grpo.tools],
        guided=loaded.memory.procedures == "guided",
        turns=plan.max_turns,
    )
    click.echo(explanation(plan.objective, setting), nl=False)
    if text := tools_text(loaded):
        click.echo(f"\n{text}", nl=False)
    click.echo("\nReward\n")
    for reward in loaded.rewards:
        click.echo(f"  {reward.weight:g} x {reward.called}")
    click.echo(f"  blended by {loaded.blend}: docs/rewards.md")


_SFT = """\
What is minimised

  L = − (1 / N) Σₜ ln π(yₜ | y₁ … yₜ₋₁)

In words

  - The mean cross-entropy of the N trained tokens of a whole optimizer step, in nats: how the step is cut
    into forward passes changes nothing.
  - Trained tokens are those of the assistant's turns, the end of each turn included, unless a row says
    otherwise.
"""

_APO = """\
What is maximised

  R(p) = (1 / N) Σᵢ r(xᵢ, y(p, xᵢ))

In words

  - The mean reward of the answers to N tasks under the prompt p. The model's weights stay as they are.
  - Candidates meet the best prompt so far on the same tasks; the worse half is dropped, and the others meet
    it on more. What proposers see are tasks of the search part alone.
  - At the end the best candidate meets the first prompt on tasks that were never asked before. It is kept at
    p <= 0.05 (proven) or p <= 0.2 (promising), by McNemar's test where rewards are 0 or 1, else by the
    sign-flip test, both with mid-p; otherwise the first prompt is kept.
"""
