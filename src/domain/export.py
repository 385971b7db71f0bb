"""An export: a model with its LoRA weights merged in, and how alike it is to the model that was trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from .conversation import Conversation
from .conversation_json import identity
from .errors import ModelError
from .model_spec import ModelSpec
from .tokens import TokenRow, fingerprint, token_row

LABELS = 64
"""Label positions of a row that are compared, at most."""

ANSWER = 32
"""Tokens of an answer that are compared, at most."""


class Into(StrEnum):
    """Which base weights the LoRA weights are merged into."""

    BASE = "base"
    DEQUANTISED = "dequantised"


DTYPES = ("bfloat16", "float16", "float32")
"""Number formats that an export can be written in."""


def chosen_base(wanted: Into | None, quantizer: str) -> Into:
    """The base as asked for; by default the one that the training saw.

    Raises:
        ModelError: M031 for ``dequantised`` where nothing was quantised.
    """
    if wanted is Into.DEQUANTISED and quantizer == "none":
        raise ModelError(
            "M031",
            "the run's base model was not quantised, so there is nothing to make whole again",
            where="--into",
            got=wanted.value,
            expected=Into.BASE.value,
            fix="leave --into out",
        )
    return wanted or (Into.BASE if quantizer == "none" else Into.DEQUANTISED)


def chosen_format(wanted: str, trained: str) -> str:
    """The number format as asked for; auto is the run's own if that has 16 bits, else bfloat16."""
    if wanted != "auto":
        return wanted
    return trained if trained in ("bfloat16", "float16") else "bfloat16"


def meaning(into: Into, quantizer: str) -> str:
    """What merging into this base means for a run with that quantizer, in one sentence."""
    if into is Into.DEQUANTISED:
        return f"The base weights are as {quantizer} rounded them, which is what the training saw."
    if quantizer == "none":
        return "The base weights are as the training saw them."
    return f"The base weights are those before {quantizer} rounded them, which the training did not see."


@dataclass(frozen=True, slots=True)
class MergeSpec:
    """What is merged.

    Attributes:
        model: the base model, in the number format that the training computed in.
        weights: a folder of LoRA weights as it is on the disk.
        dtype: of what is written.
        quantised: whether the training saw its base model quantised.
    """

    model: ModelSpec
    weights: str
    into: Into
    dtype: str
    quantised: bool


@dataclass(frozen=True, slots=True)
class Probes:
    """What two models are both asked, to be compared.

    Attributes:
        origin: where the rows come from, in words.
        rows: their labels are the positions at which the next token is predicted.
        prompts: answered greedily.
    """

    origin: str
    rows: tuple[TokenRow, ...]
    prompts: tuple[Conversation, ...]

    @property
    def fingerprint(self) -> str:
        """A sha256: the same for the same tokens, labels and prompts."""
        asked = "".join(f"/{identity(prompt)}" for prompt in self.prompts)
        return sha256(f"{fingerprint(self.rows)}{asked}".encode()).hexdigest()


def shortened(row: TokenRow, labels: int = LABELS) -> TokenRow:
    """The row up to its label of that number; what follows changes nothing before it."""
    places = [at for at, trained in enumerate(row.trained) if trained]
    end = places[labels - 1] + 1 if len(places) > labels else len(row)
    return token_row(row.ids[:end], list(map(bool, row.trained[:end])), truncated=row.truncated)


@dataclass(frozen=True, slots=True)
class Parity:
    """How alike two models are: the one that was trained, and the merged one as it is read from its files.

    With z the logits of the trained model at a label position, z' those of the merged one, p and p' their
    softmax, T label positions and V tokens of the vocabulary:

    Attributes:
        max_logit_difference: the largest abs(z - z') over all T positions and V tokens.
        mean_kl: KL(p || p'), the mean over T of the sum over V of p (ln p - ln p'), in nats per token: what
            is lost by predicting with the merged model what the trained one would say. 0 is no loss.
        same_answers: greedy answers that are the same text, out of ``prompts``.
        fingerprint: of what was asked.
        positions: T.
        dtype, device: what the trained model was computed in and on.
    """

    origin: str
    fingerprint: str
    rows: int
    positions: int
    max_logit_difference: float
    mean_kl: float
    prompts: int
    same_answers: int
    dtype: str
    device: str


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """The run that an export was made of."""

    id: str
    name: str
    quantizer: str
    recipe_sha256: str
    lora_sha256: str


@dataclass(frozen=True, slots=True)
class ExportManifest:
    """What ``export.json`` says.

    Attributes:
        base_model: a name on the hub, or the last part of a folder's path.
        meaning: of ``into``, in one sentence.
        created: ISO 8601, UTC.
        rows: how many held-out rows were asked for.
        files: sha256 of every other file, by its path in the folder.
    """

    run: ExportedRun
    base_model: str
    into: Into
    meaning: str
    dtype: str
    created: str
    rows: int
    parity: Parity
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


class Wrong(StrEnum):
    """What can be wrong with a file of an export."""

    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not as ``export.json`` says."""

    file: str
    what: Wrong


LOGITS_FREE, KL_FREE, RELATIVE = 1e-3, 1e-4, 0.5
"""Figures agree that differ by no more than the first, or the second in nats, plus half of the larger one.

The same machine gives the same figures. Another one adds in another order, and the largest difference of
millions then moves by a few tenths of itself; other weights move it by much more.
"""

ANSWERS_FREE = 1 / 8
"""Share of the greedy answers, and at least one, that may agree or not on another machine."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a parity as it was recorded and as it was measured again."""

    name: str
    recorded: str
    again: str
    agrees: bool


def compared(recorded: Parity, again: Parity) -> Iterator[Figure]:
    """Both measurements, figure by figure; both were asked the same."""
    largest = recorded.max_logit_difference, again.max_logit_difference
    yield _figure("largest difference of logits", *largest, LOGITS_FREE)
    yield _figure("mean KL, nats per token", recorded.mean_kl, again.mean_kl, KL_FREE)
    first, second = recorded.same_answers, again.same_answers
    agrees = abs(first - second) <= max(1.0, ANSWERS_FREE * recorded.prompts)
    of = f"of {recorded.prompts}"
    yield Figure("greedy answers that agree", f"{first} {of}", f"{second} {of}", agrees)


def _figure(name: str, recorded: float, again: float, free: float) -> Figure:
    agrees = abs(recorded - again) <= free + RELATIVE * max(recorded, again)
    return Figure(name, f"{recorded:.3g}", f"{again:.3g}", agrees)
