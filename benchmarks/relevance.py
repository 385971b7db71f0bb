"""Whether a cosine can say that nothing is relevant: questions with an answer, and about other things.

Answers: the docstring questions of ``retrieval.py``, in memories of 1 to 60 files that have the function
asked for. Other things: nonsense, everyday questions, and what people ask of BFCL's assistants, in the same
memories. Told for several cosines of both of the kit's embedders: how many of the first are refused, with and
without a reranker that overrules it, and how many of the others. The first also of functions of installed
packages, each in a memory of its own file: the cosines are chosen on these.

    python -m benchmarks.relevance          both embedders
    python -m benchmarks.relevance MODEL    one of them; what is known of the other stays
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.order_weights import corpora
from benchmarks.peers.retrieval_questions import Question, function_calls, standard_library
from benchmarks.peers.retrieval_search import EMBEDDER, Embeddings, Judge
from benchmarks.peers.retrieval_units import ours
from benchmarks.retrieval import RESULTS, Searched, searched
from cesello.domain.fusion import is_foreign
from cesello.entrypoints.settings.memory_settings import BGE_SMALL

RESULT = RESULTS.with_name("relevance.json")
LEAST = {EMBEDDER: (0.26, 0.28, 0.30, 0.32), BGE_SMALL: (0.60, 0.61, 0.62, 0.63, 0.64)}
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

    def __init__(self, one: Searched, embed: Embeddings, judge: Judge, leasts: Sequence[float]) -> None:
        self._one, self._embed, self._judge, self._leasts = one, embed, judge, leasts
        self._paths = np.array([unit.path for unit in one.units])
        self._files = sorted(set(self._paths))
        self._draw = random.Random(1)

    def answered(self, files: int) -> dict[str, Any]:
        """Per cent of questions with an answer: by the cosine alone, and where a reranker may overrule it."""
        alone, overruled = dict.fromkeys(self._leasts, 0), dict.fromkeys(self._leasts, 0)
        for number, question in enumerate(self._one.questions):
            others = [file for file in self._files if file != question.path]
            there = np.isin(self._paths, [question.path, *self._draw.sample(others, files - 1)])
            cosines = np.where(there, self._one.vectors @ self._one.asked[number], -1)
            if (nearest := float(cosines.max())) >= self._leasts[-1]:
                continue
            said = [
                unit for unit in self._one.words(self._one.expressions[number], pool=10**6) if there[unit]
            ]
            units = dict.fromkeys([*map(int, np.argsort(-cosines)[:READ]), *said[:READ]])
            texts = [self._one.units[unit].reranked for unit in units if there[unit]]
            probability = max(self._judge(question.text, texts))
            for least in self._leasts:
                alone[least] += is_foreign(question.text, nearest, bool(said), None, least)
                overruled[least] += is_foreign(question.text, nearest, bool(said), probability, least)
        count = len(self._one.questions)
        shares = {"alone": alone, "overruled": overruled}
        return {
            name: {k: round(100 * v / count, 2) for k, v in each.items()} for name, each in shares.items()
        }

    def others(self, texts: Sequence[str], files: int) -> dict[float, float]:
        """Per cent of questions about other things, by the cosine alone; the mean of five memories."""
        asked, nearest = self._embed.asked(texts), []
        for _ in range(5):
            there = np.isin(self._paths, self._draw.sample(self._files, files))
            nearest.append((asked @ self._one.vectors[there].T).max(axis=1))
        return {least: round(100 * float((np.stack(nearest) < least).mean()), 1) for least in self._leasts}


def elsewhere(model: str, judge: Judge) -> dict[str, Any]:
    """As ``Refusals.answered``, of other packages' functions in their own files."""
    embed = Embeddings("int8", model)
    counts: list[int] = []
    parts: list[dict[str, Any]] = []
    for corpus in corpora():
        one = searched(corpus, ours(corpus.sources, read=embed.read), embed)
        counts.append(len(one.questions))
        parts.append(Refusals(one, embed, judge, LEAST[model]).answered(1))
    return {"questions": sum(counts)} | {
        name: {
            least: round(float(np.average([part[name][least] for part in parts], weights=counts)), 2)
            for least in LEAST[model]
        }
        for name in parts[0]
    }


def of_model(model: str) -> dict[str, Any]:
    """Of one embedder."""
    embed = Embeddings(model=model)
    corpus = standard_library(60)
    one = searched(corpus, ours(corpus.sources, read=embed.read), embed)
    calls: list[Question] = list(function_calls().questions)
    random.Random(0).shuffle(calls)
    judge = Judge()
    refusals = Refusals(one, embed, judge, LEAST[model])
    result: dict[str, Any] = {"questions": len(one.questions), "units": len(one.units)}
    for files in FILES:
        result[f"{files} files"] = {
            "answered": refusals.answered(files),
            "other things": refusals.others(OTHER.replace("\n", "|").split("|"), files),
            "function calls": refusals.others([call.text for call in calls[:100]], files),
        }
        print(files, "files", json.dumps(result[f"{files} files"]), flush=True)
    result["other packages"] = elsewhere(model, judge)
    print("other packages", result["other packages"], flush=True)
    return result


def main() -> None:
    found: dict[str, Any] = json.loads(RESULT.read_text())
    for model in sys.argv[1:] or LEAST:
        found[model] = of_model(model)
    RESULT.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
