"""GRPO in the trainer of SFT: a step draws completions, judges them, and learns from what is better.

Of the paper (Shao et al., arXiv 2402.03300) the outcome rewards are here, without a reward model that is
trained; the formula is ``policy_loss``. A step's forward passes hold groups of completions that share their
prompt; all else, from dropout's seeds to checkpoints, is that of ``SftModule``.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import groupby
from typing import Any

import torch

from ...domain.errors import Interrupted
from ...domain.genai_names import STEP
from ...domain.objective import Aggregation, Objective, StepSize
from ...domain.open_span import annotate
from ...domain.ports.reward import RewardModel
from ...domain.ports.rollout import RolloutEngine
from ...domain.ports.run import Stop
from ...domain.ports.tools import Toolbox
from ...domain.reinforcement import Judged, JudgedGroup, ReinforcementPlan
from ...domain.token_log import is_kept, token_lines
from ...domain.tokens import TokenRow
from ...domain.traced import traced
from ..model.hf_policy import HfPolicy
from ..model.label_log_probs import label_log_probs
from ..model.packed_loss import Scores
from ..model.shared_prefix import PromptGroup, completion_scores, cut
from . import workers
from .guided_turns import Guide
from .lightning_sft import SftModule
from .policy_loss import ScoredCompletions, mask_of, padded, policy_loss
from .policy_sums import PolicySums
from .rollouts import Roller, Rollouts, rollouts_from
from .tool_turns import ToolUse
from .trainer import Abandoned

MakeEngine = Callable[[HfPolicy, Stop], RolloutEngine]
"""Gives what draws completions from a policy."""


@dataclass(frozen=True, slots=True)
class CompletionRow:
    """A completion to learn from, as a row of a forward pass.

    Attributes:
        leads: it is the first of its group in its pass, in which the prompt is computed once.
    """

    group: int
    prompt: Sequence[int]
    judged: Judged
    leads: bool = True

    def __len__(self) -> int:
        """Its tokens, and where it is the first of its group those of the prompt."""
        return len(self.judged.ids) + (len(self.prompt) if self.leads else 0)

    @property
    def trained_tokens(self) -> int:
        return self.judged.trained_tokens

    def whole(self) -> TokenRow:
        """Prompt and completion."""
        ids = array("i", [*self.prompt, *self.judged.ids])
        return TokenRow(ids, bytes(len(self.prompt)) + self.judged.trained)


class GrpoModule(SftModule):
    """Group relative policy optimisation; see ``SftModule`` for what it shares.

    Args:
        plan: how completions are drawn and learnt from.
        engine: makes what draws them.
        reward: gives what judges them.
        tools: what completions may call; None: nothing.
        guide: leads them through the procedures of their prompts; None: nobody does.
    """

    def __init__(
        self,
        policy: HfPolicy,
        *shared: Any,
        reinforcement: ReinforcementPlan,
        engine: MakeEngine,
        reward: Callable[[], RewardModel],
        tools: Toolbox | None = None,
        guide: Guide | None = None,
    ) -> None:
        super().__init__(policy, *shared)
        self._reinforcement = reinforcement
        self._texts = policy.pieces
        several = tools is not None or guide is not None
        use = ToolUse(tools, reinforcement.max_turns, self._stop, guide) if several else None
        self._roller = Roller(
            policy, engine(policy, self._stop), reward(), reinforcement, self.plan.seed, use
        )
        self._rollouts: Rollouts | None = None
        self._size = StepSize(0, 0)
        self._sums = PolicySums.none(policy.model.device)
        self._roller_state = self._roller.as_plain()

    def training_step(self, step_batch: Any, index: int) -> None:
        """One optimizer step, on a rollout of its prompts or, after its first update, on the same again."""
        objective = self._reinforcement.objective
        number, update = divmod(self.steps_done, objective.updates)
        if self._rollouts is None or self._rollouts.number != number:
            self._rollouts = self._rolled(step_batch, number)
        rollouts = self._rollouts
        passes: Any = list(_passes(rollouts.groups, self._reinforcement))
        self._size = _step_size(rollouts.groups, objective)
        super().training_step(passes, index)
        assert self.report is not None
        self._roller_state = self._roller.as_plain()
        figures = dict(rollouts.figures) | _figures(_of_all_processes(self._sums))
        seconds = dict(rollouts.seconds) if update == 0 else {}
        seconds["update"] = self.report.seconds
        records = rollouts.records(self.report.step) if update == 0 else []
        pieces = self._pieces(rollouts) if update == 0 else []
        self.report = replace(
            self.report,
            right=None,
            figures=figures,
            phases=seconds,
            seconds=sum(seconds.values()),
            completions=tuple(records),
            pieces=tuple(pieces),
            learnt=[row.whole() for rows in passes for row in rows] if self.report.skipped else [],
        )

    def _pieces(self, rollouts: Rollouts) -> list[dict[str, Any]]:
        """The tokens of one group, for a person to look at."""
        assert self.report is not None
        every = -(-self.plan.max_steps // self._reinforcement.objective.updates)
        if not is_kept(rollouts.number, every):
            return []
        return token_lines(rollouts.groups, self.report.step, self._texts)

    @traced("draw and judge")
    def _rolled(self, step_batch: Any, number: int) -> Rollouts:
        annotate({STEP: self.steps_done + 1})
        prompts = [row for rows in step_batch for row in rows]
        try:
            rollouts = self._roller(prompts, number)
            if workers.count() > 1 and (heard := workers.any_of(self._stop.heard)):
                # All of them give the step up, or none.
                self._stop.agree(heard)
                self._stop.check()
        except Interrupted:
            # The step has not begun: the state is that of the last one.
            raise Abandoned from None
        return rollouts

    def _accumulate(self, step_batch: Any, labels: int) -> torch.Tensor:
        """Anew each time: passes for which the memory did not suffice leave nothing here."""
        self._sums = PolicySums.none(self.model.device)
        passes = self.splitter.passes(step_batch, workers.count())
        self._size = replace(self._size, passes=max(len(passes), 1))
        return super()._accumulate(step_batch, labels)

    def loss(self, rows: Any) -> Scores:
        """The share of these completions in the step's loss, times what the trainer divides it by."""
        objective = self._reinforcement.objective
        judged = [row.judged for row in rows]
        score = partial(label_log_probs, temperature=self._reinforcement.temperature)
        made = completion_scores(self.model, list(_grouped(rows)), score)
        device = made.log_probs_L.device
        mask_BT = mask_of([one.trained for one in judged], device)

        def known(values: Sequence[Sequence[float] | None]) -> torch.Tensor | None:
            rows = [torch.tensor(one) for one in values if one is not None]
            if len(rows) < len(values):
                return None
            return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device)

        part = policy_loss(
            objective,
            ScoredCompletions(
                padded(made.log_probs_L, mask_BT),
                mask_BT,
                torch.tensor([one.advantage for one in judged], device=device),
                old_BT=known([one.old for one in judged]),
                # Where the engine is this very policy, there is nothing to correct, and no cap.
                drawn_BT=known([one.log_probs for one in judged] if objective.importance_cap else [None]),
                reference_BT=known([one.reference for one in judged]),
                entropies_BT=padded(made.entropies_L, mask_BT),
            ),
            self._size,
        )
        self._sums = self._sums + part.sums
        return Scores(part.loss * self._labels, torch.zeros((), dtype=torch.int64, device=device))

    def own_state(self) -> Mapping[str, Any]:
        """A rollout that is not used up, and what was learnt of prompts and graders by the last step."""
        state = dict(self._roller_state)
        if self._rollouts is not None and self.steps_done % self._reinforcement.objective.updates:
            state["rollouts"] = self._rollouts.as_plain()
        return state

    def load_own_state(self, state: Mapping[str, Any]) -> None:
        self._roller.load(state)
        self._roller_state = self._roller.as_plain()
        if "rollouts" in state:
            self._rollouts = rollouts_from(state["rollouts"])


def _of_all_processes(sums: PolicySums) -> PolicySums:
    workers.add_up([sums.added])
    least, less_most = workers.least(torch.stack([sums.least, -sums.most]))
    return PolicySums(sums.added, least, -less_most)


def _figures(sums: PolicySums) -> dict[str, float]:
    """Of the objective, by name; none where nothing was learnt from."""
    shown = sums.figures()
    known = {field.name: getattr(shown, field.name) for field in fields(shown) if field.name != "tokens"}
    return {name: float(value) for name, value in known.items() if value is not None and shown.tokens}


def _step_size(groups: Sequence[JudgedGroup], objective: Objective) -> StepSize:
    live = [group for group in groups if not (group.dead and objective.skips_dead)]
    tokens = sum(one.trained_tokens for group in live for one in group.learnt_from(objective))
    return StepSize(sum(len(group.completions) for group in live), tokens)


def _passes(groups: Sequence[JudgedGroup], plan: ReinforcementPlan) -> Iterator[list[CompletionRow]]:
    """Completions for forward passes of at most so many tokens, as ``cut`` has it."""
    rows = [
        CompletionRow(number, group.prompt, one)
        for number, group in enumerate(groups)
        for one in _moving(group, plan.objective)
    ]
    if not (plan.objective.needs_reference or any(row.judged.advantage for row in rows)):
        return  # no gradient is no step, whatever would count in the mean
    left = iter(rows)
    for part in cut(list(_grouped(rows)), plan.pass_tokens):
        yield [replace(next(left), leads=not at) for piece in part for at in range(len(piece.completions))]


def _moving(group: JudgedGroup, objective: Objective) -> list[Judged]:
    """Completions with a part in the loss: others have no gradient, but count in the mean over a pass."""
    learnt = group.learnt_from(objective)
    if objective.needs_reference or objective.aggregation is Aggregation.BNPO:
        return learnt
    return [one for one in learnt if one.advantage]


def _grouped(rows: Sequence[CompletionRow]) -> Iterator[PromptGroup]:
    for _, same in groupby(rows, key=lambda row: row.group):
        group = list(same)
        judged = [row.judged for row in group]
        yield PromptGroup(group[0].prompt, [one.ids for one in judged], [one.trained for one in judged])
