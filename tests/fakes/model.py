"""A model of words: its loss falls as it is trained, and then it knows the right answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zlib import crc32

from cesello.domain.chatml import call_as_text, tools_as_text
from cesello.domain.conversation import Conversation
from cesello.domain.errors import ModelError
from cesello.domain.footprint import DeviceMemory, Evaluating, Footprint, ForwardPass, ModelShape
from cesello.domain.function_match import first_choice
from cesello.domain.generation import Completion, LossTotal, Sampling
from cesello.domain.model_spec import LoraSpec, ModelSpec, PolicyFacts
from cesello.domain.target_modules import targets
from cesello.domain.tokens import TokenRow, token_row

MODULES = tuple(f"layer.{name}" for name in ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj"))
END = "<end>"


def token(word: str) -> int:
    """A word's id, the same on every machine."""
    return crc32(word.encode()) >> 8


@dataclass
class FakeEncoder:
    """One token a word.

    Attributes:
        identity: what it calls itself.
        encoded: the sizes of the batches it was given, in order.
    """

    identity: str = "fake"
    encoded: list[int] = field(default_factory=list)
    _words: dict[int, str] = field(default_factory=dict)

    @property
    def identities(self) -> dict[str, str]:
        return {"tokenizer": "words", "chat template": "fake"}

    def encode(self, conversations: Sequence[Conversation]) -> list[TokenRow]:
        self.encoded.append(len(conversations))
        return [self._encode(conversation) for conversation in conversations]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return [f"{self._words.get(one, one)} " for one in ids]

    def _encode(self, conversation: Conversation) -> TokenRow:
        ids: list[int] = []
        labels: list[bool] = []
        for turn in tools_as_text(conversation).messages:
            words = [*turn.content.split(), END]
            self._words |= {token(word): word for word in (turn.role.value, *words)}
            ids += [token(turn.role), *map(token, words)]
            labels += [False, *([turn.is_trained] * len(words))]
        if conversation.is_plain_text:
            ids, labels = ids[1:], labels[1:]
        return token_row(ids, labels)


@dataclass
class FakePolicy:
    """Knows nothing at first; once trained it makes the calls of a prompt's reference.

    Attributes:
        seed: what its fresh weights came from.
        weights: what its base model's are known by.
        trained: optimizer steps it has had, ``began`` of them before it was loaded to be trained further.
        asked: every prompt it was given, with whether its LoRA weights were on.
    """

    facts: PolicyFacts
    seed: int = 0
    trained: int = 0
    weights: str = "w1"
    began: int = 0
    asked: list[tuple[Conversation, bool]] = field(default_factory=list)

    @property
    def loss(self) -> float:
        """Nats per token."""
        return _loss(self.trained)

    @property
    def identity(self) -> dict[str, str]:
        return {
            "base model": self.facts.name,
            "base weights": self.weights,
            "tokenizer": "words",
            "chat template": "fake",
            "trained weights": ", ".join(self.facts.target_modules),
        }

    def encode(self, conversation: Conversation) -> TokenRow:
        return FakeEncoder().encode([conversation])[0]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return FakeEncoder().pieces(ids)

    def score(self, rows: Sequence[TokenRow], *, reference: bool = False) -> LossTotal:
        tokens = sum(row.trained_tokens for row in rows)
        return LossTotal(tokens * _loss(self.began if reference else self.trained), tokens)

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, *, lora: bool = True
    ) -> tuple[Completion, ...]:
        return tuple(self._completion(prompt, sampling, lora) for prompt in prompts)

    def stream(self, prompt: Conversation, sampling: Sampling, *, lora: bool = True) -> Iterator[str]:
        for number, word in enumerate(self._completion(prompt, sampling, lora).text.split(" ")):
            yield f" {word}" if number else word

    def save(self, folder: Path) -> None:
        config = {"base_model_name_or_path": self.facts.name, "seed": self.seed, "trained": self.trained}
        (folder / "adapter_config.json").write_text(json.dumps(config))
        (folder / "adapter_model.safetensors").write_bytes(f"{self.seed}/{self.trained}".encode())
        (folder / "tokenizer.json").write_text("{}")

    def _completion(self, prompt: Conversation, sampling: Sampling, lora: bool) -> Completion:
        self.asked.append((prompt, lora))
        calls = prompt.reference.get("calls", ())
        if self.trained and lora and calls:
            text = "\n".join(call_as_text(first_choice(call)) for call in calls)
        else:
            heard = prompt.messages[-1].content if prompt.messages else "nothing"
            text = f"{'tuned' if self.trained and lora else 'base'} heard {heard}"
        words = text.split(" ")
        kept = words[: sampling.max_new_tokens]
        finished = len(words) < sampling.max_new_tokens
        return Completion(" ".join(kept), len(kept) + finished, finished)


@dataclass
class FakeModelProvider:
    """Has every model but those whose names start with ``missing``.

    Attributes:
        loaded: the policies it gave, in order.
        weights: what its models are known by; None where it cannot tell.
    """

    loaded: list[FakePolicy] = field(default_factory=list)
    weights: str | None = "w1"

    def load(
        self,
        model: ModelSpec,
        lora: LoraSpec,
        *,
        seed: int,
        gradient_checkpointing: bool = False,
        activation_offload: bool = False,
    ) -> FakePolicy:
        if lora.continue_from is not None:
            policy = self.reopen(model, Path(lora.continue_from))
            policy.began = policy.trained
            return policy
        chosen = targets(lora.target_modules, "llama", MODULES)
        return self._policy(model, chosen.modules, seed, 0)

    def encoder(self, model: ModelSpec) -> FakeEncoder:
        _check_here(model)
        return FakeEncoder(f"fake:{model.name}")

    def identity(self, model: ModelSpec) -> str | None:
        return self.weights and f"{self.weights} {model}"

    def reopen(self, model: ModelSpec, weights: Path) -> FakePolicy:
        path = weights / "adapter_config.json"
        if not path.exists():
            raise ModelError("M002", "LoRA weights cannot be read", where=str(path), fix="name another run")
        config = json.loads(path.read_text())
        base = config["base_model_name_or_path"]
        if base != model.name:
            what = "LoRA weights belong to another base model"
            raise ModelError("M004", what, where=str(path), got=base, expected=model.name, fix="load that")
        return self._policy(model, ("q_proj",), config["seed"], config["trained"])

    def _policy(self, model: ModelSpec, chosen: tuple[str, ...], seed: int, trained: int) -> FakePolicy:
        _check_here(model)
        facts = replace(FACTS, name=model.name, target_modules=chosen)
        self.loaded.append(FakePolicy(facts, seed, trained, str(self.weights)))
        return self.loaded[-1]


def _loss(trained: int) -> float:
    """Nats per token after so many steps."""
    return 4.0 / (2 + trained)


def _check_here(model: ModelSpec) -> None:
    if Path(model.name).name.startswith("missing"):
        raise ModelError("M001", f'the model "{model.name}" is not here', fix="correct model.name")


FACTS = PolicyFacts(
    name="fake",
    architecture="llama",
    parameters=1000,
    trainable_parameters=10,
    target_modules=("q_proj",),
    quantizer="none",
    dtype="float32",
    device="cpu",
    chat_template="chatml",
)


@dataclass
class FakeQuantizer:
    """Stores weights as they are, under any name."""

    name: str = "fake"

    def load_options(self, compute_dtype: str) -> dict[str, object]:
        return {}

    def complete(self, base: object, keep: Sequence[str] = ()) -> None:
        """Nothing is left."""

    def stored_bytes(self, shape: Sequence[int], compute_dtype: str) -> int | None:
        return None


MIB = 2**20
SHAPE = ModelShape(
    name="fake",
    architecture="llama",
    dtype="bfloat16",
    parameters=1000,
    layers=1,
    linear=dict.fromkeys((*MODULES, "layer.gate_proj", "layer.down_proj"), (10, 10)),
    experts={},
    cache_bytes=MIB,
    positions=256,
)


@dataclass
class FakeMemoryPredictor:
    """A token takes a MiB of activations, a tenth of that when they are computed again.

    Base weights take 400 MiB, in nf4 100.

    Attributes:
        asked: the forward passes it was asked about, in order.
        per_label: bytes of its logits.
    """

    asked: list[ForwardPass] = field(default_factory=list)
    per_label: int = 0

    def shape(self, model: ModelSpec) -> ModelShape:
        _check_here(model)
        return replace(SHAPE, name=model.name)

    def footprint(
        self, model: ModelSpec, quantizer: str, lora: LoraSpec, work: ForwardPass, evaluating: Evaluating
    ) -> Footprint:
        _check_here(model)
        targets(lora.target_modules, "llama", MODULES)
        self.asked.append(work)
        kept = work.tokens * MIB // (10 if work.checkpointing else 1)
        return Footprint(
            parameters=SHAPE.parameters,
            trainable=10,
            quantised_parameters=1000 if quantizer == "nf4" else 0,
            weights=(100 if quantizer == "nf4" else 400) * MIB,
            quantised=500 if quantizer == "nf4" else 0,
            lora=MIB,
            gradients=MIB,
            optimizer=2 * MIB,
            activations=kept,
            logits=work.labels * self.per_label,
            step=kept + work.labels * self.per_label + MIB * work.accumulates,
            evaluation=SHAPE.cache_bytes * evaluating.answers * evaluating.tokens,
            cache=SHAPE.cache_bytes * evaluating.answers * evaluating.tokens,
        )


@dataclass
class FakeDevices:
    """One device with so many bytes free; None does not tell."""

    free: int | None = None
    device: str = "cpu"

    def memory(self, wanted: str, *, spread: bool = False) -> DeviceMemory:
        return DeviceMemory(self.device, "a device", self.free, self.free)
