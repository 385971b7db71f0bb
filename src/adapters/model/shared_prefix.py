"""What a model makes of several completions of one prompt, with the prompt computed once.

Each completion sees the prompt and itself, at the positions that it would have alone, so that a group costs
P + K T tokens instead of K (P + T), forward and backward. Where an architecture cannot be asked so, or where
it would not pay, every completion is a row of its own with its prompt: laid end to end, or padded. The
answers are the same, in the same order, and so are their gradients; only dropout is drawn for a shared prompt
once. Shapes: P tokens of a prompt, K completions of T tokens; L labels, of all completions.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch

from ...domain.tokens import TokenRow
from .document_attention import attends_by_document
from .packed_loss import LabelInputs, keeps_rows_apart, packed_inputs, padded_inputs
from .prefix_attention import Layout, prefix_mask

Made = TypeVar("Made")
Score = Callable[[Any, Mapping[str, Any], torch.Tensor, tuple[torch.Tensor, ...]], Made]
"""``label_log_probs`` or another of its kind: model, inputs, labels and where they are predicted."""

_TOLL = 0.05
"""What a completion's token costs more beside a shared prompt, in tokens: two products of attention instead
of one. With SmolLM2 on one thread 3.8 ms a layer for 512 tokens, which cost 93 ms in all."""
_shares: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
_packs: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class PromptGroup:
    """Completions of one prompt, as they were drawn.

    Attributes:
        prompt: token ids, at least one.
        completions: token ids of each.
        trained: of each completion, 1 where a token is a label and 0 where it came from elsewhere, as what a
            tool answered; empty where all tokens of all completions are labels.
    """

    prompt: Sequence[int]
    completions: Sequence[Sequence[int]]
    trained: Sequence[bytes] = ()

    def marks(self) -> Sequence[bytes]:
        """``trained``, of every completion."""
        return self.trained or [b"\1" * len(completion) for completion in self.completions]


class Way(Enum):
    """How completions are laid out."""

    SHARED = "shared"
    PACKED = "packed"
    PADDED = "padded"


def completion_scores(
    model: Any, groups: Sequence[PromptGroup], score: Score[Made], *, way: Way | None = None
) -> Made:
    """What ``score`` makes of all labels: group by group, completion by completion, token by token.

    Args:
        model: a causal language model of transformers, wrapped by PEFT or not.
        way: to lay them out; None chooses the cheapest that the model knows.
    """
    asked = completion_inputs(model, groups, way or cheapest_way(model, groups))
    return score(model, asked.inputs, asked.labels_L, asked.at)


def cheapest_way(model: Any, groups: Sequence[PromptGroup]) -> Way:
    """By what each costs, and by what the model knows."""
    if _pays(groups) and attends_by_group(model, max(map(_longest, groups))):
        return Way.SHARED
    return Way.PACKED if _tried(model, keeps_rows_apart, _packs) else Way.PADDED


def completion_inputs(model: Any, groups: Sequence[PromptGroup], way: Way) -> LabelInputs:
    """What the model is asked."""
    if way is Way.SHARED:
        return _shared_inputs(groups, model.device)
    rows = [row for group in groups for row in _rows(group)]
    return packed_inputs(model, rows) if way is Way.PACKED else padded_inputs(model, rows)


def cut(groups: Sequence[PromptGroup], most_tokens: int) -> Iterator[list[PromptGroup]]:
    """Groups, in order, for passes of at most that many tokens where prompts are shared.

    A group that is larger is cut, and its prompt computed in every pass; one prompt with one completion is
    never cut, however long it is.
    """
    part: list[PromptGroup] = []
    tokens = 0
    for piece in (piece for group in groups for piece in _pieces(group, most_tokens)):
        size = len(piece.prompt) + sum(map(len, piece.completions))
        if part and tokens + size > most_tokens:
            yield part
            part, tokens = [], 0
        part.append(piece)
        tokens += size
    if part:
        yield part


def attends_by_group(model: Any, longest: int) -> bool:
    """Whether completions of a model can share a prompt, up to that length of prompt and completion.

    It is tried once on the model itself. Where some layers see a window that is shorter, they cannot.
    """
    return attends_by_document(model, longest) and _tried(model, _is_right, _shares)


def _tried(model: Any, trial: Callable[[Any], bool], known: WeakKeyDictionary[Any, bool]) -> bool:
    """What a trial says of a model, which is asked once; one without numbers is believed."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if base not in known:
        known[base] = base.device.type == "meta" or trial(model)
    return known[base]


def _pays(groups: Sequence[PromptGroup]) -> bool:
    saved = sum(len(group.prompt) * (len(group.completions) - 1) for group in groups)
    return saved > _TOLL * sum(len(completion) for group in groups for completion in group.completions)


def _longest(group: PromptGroup) -> int:
    return len(group.prompt) + max(map(len, group.completions), default=0)


def _rows(group: PromptGroup) -> Iterator[TokenRow]:
    untrained = bytes(len(group.prompt))
    for completion, marks in zip(group.completions, group.marks(), strict=True):
        yield TokenRow(array("i", [*group.prompt, *completion]), untrained + marks)


def _pieces(group: PromptGroup, most_tokens: int) -> Iterator[PromptGroup]:
    """The group in as few parts as fit."""
    start, tokens = 0, len(group.prompt)
    for at, completion in enumerate(group.completions):
        if at > start and tokens + len(completion) > most_tokens:
            yield _piece(group, start, at)
            start, tokens = at, len(group.prompt)
        tokens += len(completion)
    yield _piece(group, start, len(group.completions))


def _piece(group: PromptGroup, start: int, stop: int) -> PromptGroup:
    return replace(group, completions=group.completions[start:stop], trained=group.trained[start:stop])


def _shared_inputs(groups: Sequence[PromptGroup], device: Any) -> LabelInputs:
    """One row; a completion's last token, from which nothing is predicted, stays out of it."""
    prompts = [torch.tensor(group.prompt) for group in groups]
    fed = [[torch.tensor(one[:-1], dtype=torch.long) for one in group.completions] for group in groups]
    layout = Layout(tuple(map(len, prompts)), tuple(tuple(map(len, its)) for its in fed))
    stretches = [*prompts, *(one for its in fed for one in its)]
    befores = [0] * len(prompts) + [len(p) for p, its in zip(prompts, fed, strict=True) for _ in its]
    positions = [torch.arange(len(one)) + before for one, before in zip(stretches, befores, strict=True)]
    inputs = {
        "input_ids": torch.cat(stretches)[None].to(device),
        "position_ids": torch.cat(positions)[None].to(device),
        "attention_mask": prefix_mask(layout, device),
        "logits_to_keep": _predicted_from(groups, layout).to(device),
        "use_cache": False,
    }
    return LabelInputs(inputs, _labels(groups).to(device))


def _predicted_from(groups: Sequence[PromptGroup], layout: Layout) -> torch.Tensor:
    """Where in the row each label is predicted: the first of a completion at the end of its prompt."""
    places = []
    end, start = 0, layout.shared
    for group, lengths in zip(groups, layout.continuations, strict=True):
        end += len(group.prompt)
        for length, marks in zip(lengths, group.marks(), strict=True):
            all_of_them = torch.tensor([end - 1, *range(start, start + length)][: len(marks)])
            places.append(all_of_them[_as_mask(marks)])
            start += length
    return torch.cat(places)


def _labels(groups: Sequence[PromptGroup]) -> torch.Tensor:
    return torch.cat(
        [
            torch.tensor(completion, dtype=torch.long)[_as_mask(marks)]
            for group in groups
            for completion, marks in zip(group.completions, group.marks(), strict=True)
        ]
    )


def _as_mask(marks: bytes) -> torch.Tensor:
    return torch.tensor(list(marks), dtype=torch.bool)


@torch.no_grad()
def _is_right(model: Any) -> bool:
    """Whether completions beside each other get the logits that they get alone."""
    vocabulary = int(model.config.get_text_config().vocab_size)
    ids = [(7 * number + 3) % vocabulary for number in range(16)]
    group = PromptGroup(ids[:5], (ids[5:9], ids[9:16]))
    was_training = model.training
    model.eval()
    try:
        ours = model(**_shared_inputs([group], model.device).inputs).logits[0].float()
        alone = [
            model(input_ids=torch.tensor([[*group.prompt, *its]], device=model.device), use_cache=False)
            for its in group.completions
        ]
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False  # it does something with masks that this one is not made for
    finally:
        model.train(was_training)
    usual = torch.cat([one.logits[0, 4:-1].float() for one in alone])
    scale = usual.abs().max().clamp(min=1.0)
    return bool((usual - ours).abs().max() / scale < (1e-5 if model.dtype == torch.float32 else 5e-2))
