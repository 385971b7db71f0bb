"""The weights of ``OrderWeights``, and how code is read, chosen on code that no other benchmark asks about.

The code is of the packages that are installed beside cesello, without tests, copies of other programs and of
the standard library: three corpora of up to 60 files, no package in two. Their questions are made as those of
the benchmark are: docstrings ask for functions and classes, comments for constants.

    python -m benchmarks.order_weights     half an hour; a rerun takes a few minutes, the vectors are kept
    python -m benchmarks.order_weights --floor   only the floor of the kit's other embedder
"""

from __future__ import annotations

import json
import platform
import random
import sys
import sysconfig
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.retrieval_measures import Values, interval
from benchmarks.peers.retrieval_questions import (
    Corpus,
    Question,
    asked,
    first_sentence,
    standard_library,
    things,
    unambiguous,
    without_docstrings,
)
from benchmarks.peers.retrieval_search import EMBEDDER, Embeddings, Judge
from benchmarks.peers.retrieval_units import ours
from benchmarks.retrieval import ORDER, Searched, Way, instead, same, searched
from cesello.domain import name_match
from cesello.domain.chunk_text import code_words
from cesello.entrypoints.settings.memory_settings import BGE_SMALL

RESULTS = Path(__file__).resolve().parent / "results" / "order-weights.json"
SITE = Path(sysconfig.get_path("purelib"))
NO_PROSE = {"test", "tests", "testing", "compat", "_compat", "locales", "kubernetes", "cesello"}
COPIES = {
    "vendor",
    "_vendor",
    "vendored",
    "_vendored",
    "extern",
    "externals",
    "backports",
    "_distutils",
    "dill",
}
OF_LIBRARY = {"multiprocess", "cloudpickle", "importlib_metadata", "zipp", "tomli", "exceptiongroup"}
LEFT_OUT = NO_PROSE | COPIES | OF_LIBRARY
LOTS, TAKEN = 12, 3
OF_PACKAGE, OF_FILE, LARGEST = 12, 25, 120_000
JUDGED = 200
FLOOR = "floor of bge-small"
FLOORS = (0.0, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7)
SHARES = (0.05, 0.5, 0.95)
WEIGHTS: dict[str, tuple[float, ...]] = {
    "names": (0.0, 0.3, 0.4),
    "kind": (0.0, 0.1, 0.2),
    "file": (0.0, 0.2, 0.4),
}


def packages() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(SITE.rglob("*.py")):
        parts = file.relative_to(SITE).parts
        if not LEFT_OUT & set(parts) and "test" not in file.name and 2_000 < file.stat().st_size < LARGEST:
            found[parts[0]].append(file)
    return {name: files for name, files in found.items() if sum(f.stat().st_size for f in files) > 60_000}


def corpora() -> Iterator[Corpus]:
    """Functions whose docstrings ask for them, as ``standard_library`` gives them."""
    known = {question.text.lower() for question in standard_library().questions}
    found = packages()
    names = sorted(found)
    random.Random(3).shuffle(names)
    for lot in range(TAKEN):
        draw = random.Random(lot)
        files: list[Path] = []
        for name in names[lot::LOTS]:
            files += draw.sample(found[name], min(OF_PACKAGE, len(found[name])))
        draw.shuffle(files)
        sources: dict[str, str] = {}
        questions: list[Question] = []
        for path, text, its in documented(files):
            if len(sources) < 60:
                sources[path] = text
                questions += draw.sample(its, min(len(its), OF_FILE))
        yield Corpus(sources, [one for one in unambiguous(questions) if one.text.lower() not in known])


def documented(files: Sequence[Path]) -> Iterator[tuple[str, str, list[Question]]]:
    """Files with three questions or more."""
    for file in files:
        path = file.relative_to(SITE).as_posix()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text, found = without_docstrings(file.read_text("utf-8").replace("\f", " "))
        except (SyntaxError, ValueError):
            continue
        its = [Question(first_sentence(said), path, *lines) for name, said, lines in found if asked(name)]
        if len(its) >= 3:
            yield path, text, its


Kinds = Mapping[str, Sequence[Searched]]


def ranks(kinds: Kinds, way: Way) -> dict[str, Values]:
    """Reciprocal ranks of every kind's questions."""
    return {
        kind: np.concatenate([one.ranks(one.rankings(way)) for one in its]) for kind, its in kinds.items()
    }


def main() -> None:
    if "--floor" in sys.argv:
        found = floors()
        written: dict[str, Any] = json.loads(RESULTS.read_text())
        written[FLOOR] = found
        RESULTS.write_text(json.dumps(written, indent=1) + "\n")
        return
    embed = Embeddings("int8")
    kinds: dict[str, list[Searched]] = {"functions": [], "classes": [], "constants": []}
    for corpus in corpora():
        for kind, one in zip(kinds, (corpus, *things(corpus.sources)), strict=True):
            kinds[kind].append(searched(one, ours(one.sources), embed))
    chosen = ranks(kinds, Way())
    results: dict[str, Any] = {
        "machine": f"{platform.machine()}, two shared cores, no GPU",
        "questions": {kind: len(values) for kind, values in chosen.items()},
        "MRR@10": {kind: round(float(values.mean()), 3) for kind, values in chosen.items()},
    }
    print(results, flush=True)
    ways = {f"{name} {value}": {name: value} for name, values in WEIGHTS.items() for value in values}
    for name, weights in {"names 0.0, kind 0.0": {"names": 0.0, "kind": 0.0}, **ways}.items():
        other = ranks(kinds, Way(order=replace(ORDER, **weights)))
        results[name] = {kind: _change(other[kind] - chosen[kind]) for kind in kinds}
        print(name, results[name], flush=True)
    results["reading code"] = readings(embed)
    for name, part, value in (
        ("words of names as they are written", "_alike", same),
        ("a name's share and the question's alike", "_BETA", 1.0),
    ):
        with instead(name_match, part, value):
            other = ranks(kinds, Way())
        results[name] = {kind: _change(other[kind] - chosen[kind]) for kind in kinds}
        print(name, results[name], flush=True)
    results["reranked"] = reranked(kinds["functions"])
    bge = Embeddings("int8", BGE_SMALL)
    results["reranked, bge-small"] = reranked(_functions(bge, TAKEN))
    results["reading code, bge-small"] = readings(bge)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results |= {FLOOR: kept[FLOOR]} if FLOOR in kept else {}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def readings(embed: Embeddings) -> dict[str, Any]:
    """What code that is read as words brings, paired over the functions, and the tokens of all texts."""
    found: dict[str, Any] = {}
    ways = {"scores": Way(), "vectors alone": Way("dense")}
    before: dict[str, Values] = {}
    reads: dict[str, Callable[[str], str]] = {"as it is written": str, "as words": code_words}
    for label, read in reads.items():
        some = _functions(embed, TAKEN, read)
        texts = [unit.embedded for one in some for unit in one.units]
        found[label] = {"tokens": sum(embed.lengths(texts)), "texts": len(texts)}
        for name, way in ways.items():
            its = ranks({"": some}, way)[""]
            change = _change(its - before.setdefault(name, its))
            found[label][name] = [round(float(its.mean()), 3), *change]
        print(label, found[label], flush=True)
    return found


def floors() -> dict[str, Any]:
    """MRR@10 by the cosine from which scores are counted, for functions of two of the corpora.

    Beside it, what shares of all cosines of a question and a text are below: nearly all are unrelated.
    """
    some = {model: _functions(Embeddings("int8", model), 2) for model in (EMBEDDER, BGE_SMALL)}
    chosen = ranks({"functions": some[BGE_SMALL]}, Way())["functions"]
    results: dict[str, Any] = {
        "questions": len(chosen),
        "MRR@10 of MiniLM": round(float(ranks({"f": some[EMBEDDER]}, Way())["f"].mean()), 3),
        "cosines": {model: _shares(its) for model, its in some.items()},
    }
    for floor in FLOORS:
        other = ranks({"f": [replace(one, floor=floor) for one in some[BGE_SMALL]]}, Way())["f"]
        results[f"floor {floor}"] = [round(float(other.mean()), 3), *_change(other - chosen)]
    print(json.dumps(results, indent=1), flush=True)
    return results


def _functions(embed: Embeddings, lots: int, read: Callable[[str], str] | None = None) -> list[Searched]:
    return [
        searched(corpus, ours(corpus.sources, read=read or embed.read), embed)
        for corpus in islice(corpora(), lots)
    ]


def _shares(some: Sequence[Searched]) -> dict[str, float]:
    drawn = np.concatenate([(one.asked @ one.vectors.T).ravel() for one in some])
    return {str(share): round(float(np.quantile(drawn, share)), 3) for share in SHARES}


def reranked(all_of_them: Sequence[Searched]) -> dict[str, list[float]]:
    """What a reranker adds, by its weight: of the first questions of each corpus, for it takes its time."""
    judge = Judge()
    some = [replace(one, questions=one.questions[:JUDGED], asked=one.asked[:JUDGED]) for one in all_of_them]
    alone = ranks({"functions": some}, Way())["functions"]
    found = {}
    for weight in (0.1, 0.2, 0.3, 0.4, 0.5):
        each = [one.ranks(one.rankings(Way(reranked=weight), judge)) for one in some]
        found[str(weight)] = _change(np.concatenate(each) - alone)
    print("reranked", found, flush=True)
    return found


def _change(difference: Values) -> list[float]:
    """Mean, and its interval of 95 %."""
    return [round(number, 3) for number in (float(difference.mean()), *interval(difference))]


if __name__ == "__main__":
    main()
