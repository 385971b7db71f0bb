"""Whether a cosine can say that nothing is relevant: questions with an answer, and about other things.

Answers: the docstring questions of ``retrieval.py``, in memories of 1 to 60 files that have the function
asked for. Other things: nonsense, everyday questions, and what people ask of BFCL's assistants, in the same
memories. Told for several cosines: how many of the first are refused, with and without a reranker that
overrules it, and how many of the others.

    python benchmarks/relevance.py
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.peers.retrieval_questions import Question, function_calls, standard_library
from benchmarks.peers.retrieval_search import Embeddings, Judge
from benchmarks.peers.retrieval_units import ours
from benchmarks.retrieval import RESULTS, Searched, searched
from cesello.domain.fusion import is_foreign

RESULT = RESULTS.with_name("relevance.json")
LEAST = (0.26, 0.28, 0.30, 0.32)
FILES = (1, 3, 10, 30, 60)
READ = 10
"""Texts that each of the two searches gives to the reranker."""

OTHER = """zzz|asdf qwer|xyzzy plugh|qqqq wwww eeee|jkl;|blah blah blah|lorem ipsum dolor sit amet|hello|?|1+1
how do I bake bread?|what is the capital of France?|who won the world cup in 2018?|best restaurants in Rome
how to train a dog to sit|recipe for chocolate cake|what is the meaning of life?|weather in Berlin tomorrow
symptoms of the flu|how to grow tomatoes|how tall is Mount Everest?|cheap flights to Tokyo
why is the sky blue?|how do I tie a tie?|translate good morning into Spanish|when was Mozart born?
how to change a car tire|the quick brown fox jumps over the lazy dog|what should I wear to a wedding?"""


class Refusals:
    """How often nothing is relevant, in memories of some files of the corpus."""

    def __init__(self, one: Searched, embed: Embeddings, judge: Judge) -> None:
        self._one, self._embed, self._judge = one, embed, judge
        self._paths = np.array([unit.path for unit in one.units])
        self._files = sorted(set(self._paths))
        self._draw = random.Random(1)

    def answered(self, files: int) -> dict[str, Any]:
        """Per cent of questions with an answer: by the cosine alone, and where a reranker may overrule it."""
        alone, overruled = dict.fromkeys(LEAST, 0), dict.fromkeys(LEAST, 0)
        for number, question in enumerate(self._one.questions):
            others = [file for file in self._files if file != question.path]
            there = np.isin(self._paths, [question.path, *self._draw.sample(others, files - 1)])
            cosines = np.where(there, self._one.vectors @ self._one.asked[number], -1)
            if (nearest := float(cosines.max())) >= LEAST[-1]:
                continue
            said = [
                unit for unit in self._one.words(self._one.expressions[number], pool=10**6) if there[unit]
            ]
            units = dict.fromkeys([*map(int, np.argsort(-cosines)[:READ]), *said[:READ]])
            texts = [self._one.units[unit].reranked for unit in units if there[unit]]
            probability = max(self._judge(question.text, texts))
            for least in LEAST:
                alone[least] += is_foreign(question.text, nearest, bool(said), None, least)
                overruled[least] += is_foreign(question.text, nearest, bool(said), probability, least)
        count = len(self._one.questions)
        shares = {"alone": alone, "overruled": overruled}
        return {
            name: {k: round(100 * v / count, 2) for k, v in each.items()} for name, each in shares.items()
        }

    def others(self, texts: Sequence[str], files: int) -> dict[float, float]:
        """Per cent of questions about other things, by the cosine alone; the mean of five memories."""
        asked, nearest = self._embed(list(texts)), []
        for _ in range(5):
            there = np.isin(self._paths, self._draw.sample(self._files, files))
            nearest.append((asked @ self._one.vectors[there].T).max(axis=1))
        return {least: round(100 * float((np.stack(nearest) < least).mean()), 1) for least in LEAST}


def main() -> None:
    embed = Embeddings()
    corpus = standard_library(60)
    one = searched(corpus, ours(corpus.sources), embed)
    calls: list[Question] = list(function_calls().questions)
    random.Random(0).shuffle(calls)
    refusals = Refusals(one, embed, Judge())
    result: dict[str, Any] = {"questions": len(one.questions), "units": len(one.units)}
    for files in FILES:
        result[f"{files} files"] = {
            "answered": refusals.answered(files),
            "other things": refusals.others(OTHER.replace("\n", "|").split("|"), files),
            "function calls": refusals.others([call.text for call in calls[:100]], files),
        }
        print(files, "files", json.dumps(result[f"{files} files"]), flush=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
