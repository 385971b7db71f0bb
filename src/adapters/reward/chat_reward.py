"""Whether an answer in words is of a sensible length, not repetitive, and in the language of its question."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.errors import UsageError
from ...domain.reward import Attempt, Reads, RewardResult
from ...domain.task_detection import question_of
from ...domain.text_language import same_language
from ...domain.text_quality import content_of, in_band, overlap, sincere_part, variety, words_of

_LIKENESS = 0.5
_LOW = 0.5


class ChatReward:
    """Measures a chat answer without a model; it cannot tell whether the answer is right.

    Parts, each in [0, 1]:

        length        1 for ``shortest`` to ``longest`` words, less outside
        repetition    1 where no group of three words comes twice
        language      0 where the answer is in another language than the question (see ``text_language``: it
                      tells seven European languages apart, and scripts); a task to translate is not known
        overlap       with the reference's ``text``, as F1 of words; 0 where a row has none

    Praise of the person or of the answer, and sentences said again, count as length above the band and as
    nothing else. The score is 2 q - 1, where q is the product of the first three; with a reference text half
    of q is the product with the overlap. So no part makes up for another.
    """

    name = "chat"
    parts = ("length", "repetition", "language", "overlap")
    range = (-1.0, 1.0)
    reads = frozenset({Reads.PROMPT, Reads.COMPLETION, Reads.REFERENCE})

    def __init__(self, *, shortest: int = 5, longest: int = 400) -> None:
        if not 0 < shortest <= longest:
            raise UsageError(
                "C081",
                "the band of a reward's length is empty",
                got=f"{shortest} to {longest}",
                expected="0 < shortest <= longest",
            )
        self._shortest = shortest
        self._longest = longest

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        return [self._score(attempt) for attempt in attempts]

    def _score(self, attempt: Attempt) -> RewardResult:
        question, answer = question_of(attempt.prompt), attempt.completion
        content, sincere = content_of(answer), "\n".join(sincere_part(answer))
        said, counted = words_of(answer), words_of(content)
        # Too long by all words, too short by those that say something: nothing added ever helps.
        length = min(
            in_band(len(said), 1, self._longest), in_band(len(counted), self._shortest, self._longest)
        )
        values = {
            "length": length if counted else 0.0,
            "repetition": variety(words_of(sincere)),
            "language": float(same_language(question, content)),
            "overlap": 0.0,
        }
        quality = values["length"] * values["repetition"] * values["language"]
        reasons = [f"low_{part}" for part in self.parts[:3] if values[part] < _LOW]
        text = attempt.prompt.reference.get("text")
        if isinstance(text, str) and text.strip():
            values["overlap"] = overlap(counted, words_of(text))
            quality *= 1 - _LIKENESS + _LIKENESS * values["overlap"]
        else:
            reasons.append("no_reference_text")
        return RewardResult(2 * quality - 1, values, tuple(reasons))
