"""Finding code by a question: the product's search beside other chunkers, and what each technique is worth.

The code is the standard library's. *Docstring to function*: functions have lost their docstrings, and the
first sentence of each, where it stands once and has four words or more, asks for its function. A unit answers
a question where it has the line with ``def``, or more than half of the function's lines, for everybody.

*inside* is the share of questions whose answer is in 3,000 characters of context, of the best passages as
``cesello ask -k 20 --tokens 1000`` prints them: the first three whole, of the others the beginning, where the
line with ``def`` is the answer. A peer's are all whole. *lines inside* is how much of the function's lines is
there, and *inside, three kept* what is in the three passages that are given back where nothing is said.

Other kinds of questions show that what helps one kind harms no other:

- HumanEval: the prose of the prompts asks for the solutions, among the code of the 60 files.
- function calls: what people say to BFCL's assistants asks for the function to call, as a stub with its
  description. These two are natural language, as a search on the web is; CoSQA is on a hub, and is not here.
- errors, names: the message of an exception asks for where it is raised, a name for where it is defined.
- classes, constants: docstrings of classes and comments above constants ask for these, which have lost them.

Figures are given for two halves of the questions, drawn by hash. Most choices were made with both in sight,
the verbs of ``question_form`` too, and kept where both agree: what they gain here is more than they gain
elsewhere. ``benchmarks/order_weights.py`` says what names, kinds, files and the reranker bring on other code.

    python -m benchmarks.retrieval             the 60 files; a rerun takes a minute, the vectors are kept
    python -m benchmarks.retrieval --techniques  one section: techniques, reranked, beside, kinds, headers
    python -m benchmarks.retrieval --embedders   the kit's other embedder beside: a quarter of an hour
    python -m benchmarks.retrieval --all-files   all 534 as well, and samples of 60 of them: an hour
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import process_time
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.peers.retrieval_measures import (
    Values,
    answers,
    change,
    first_half,
    in_context,
    reciprocal_rank,
    show,
    summary,
)
from benchmarks.peers.retrieval_questions import (
    Corpus,
    Question,
    error_messages,
    function_calls,
    human_eval,
    names,
    standard_library,
    things,
)
from benchmarks.peers.retrieval_search import (
    BUILD,
    EMBEDDER,
    HUB,
    NAME,
    PATH,
    TEXT,
    Embeddings,
    Judge,
    Vectors,
    Words,
    nearest,
)
from benchmarks.peers.retrieval_units import HEADERS, Unit, fixed, ours, peer
from cesello.adapters.memory.onnx_embedder import OnnxEmbedder
from cesello.domain import name_match as names_module
from cesello.domain import search_words as words_module
from cesello.domain.context import WHOLE
from cesello.domain.fusion import (
    RERANKER_WEIGHT,
    folded,
    judged,
    looks_like_code,
    reciprocal_rank_fusion,
    score_fusion,
    with_file,
    words_weight,
)
from cesello.domain.search_order import OrderWeights, in_order
from cesello.entrypoints.settings.memory_settings import BGE_SMALL

RESULTS = Path(__file__).resolve().parent / "results" / "retrieval.json"
RECALL = 20
KEPT = 3
ORDER = OrderWeights()


@dataclass(frozen=True)
class Way:
    """How is searched; as it stands, the product's way.

    Attributes:
        fuse: ``scores``, ``ranks``, ``dense`` or ``words``.
        weight: of the words; None by the kind of question.
        folded: whether the parts of a definition are one answer; None by the kind of question.
        filled: whether what words found has its cosine too.
        order: weights of what files, names and kinds say.
        reranked: None for no reranker, else its weight.
        recall: how many are reranked.
    """

    fuse: str = "scores"
    weight: float | None = None
    folded: bool | None = None
    filled: bool = True
    order: OrderWeights = ORDER
    fields: tuple[float, float, float] = (NAME, PATH, TEXT)
    reranked: float | None = None
    recall: int = RECALL


@dataclass
class Searched:
    """Units and questions with all that searching them needs."""

    units: Sequence[Unit]
    questions: Sequence[Question]
    vectors: Vectors
    asked: Vectors
    floor: float = 0.0

    def __post_init__(self) -> None:
        self.words = Words(self.units)
        self.right = answers(self.units, self.questions)
        self.expressions = [words_module.match_any(question.text) for question in self.questions]

    def rankings(self, way: Way, judge: Judge | None = None) -> list[list[int]]:
        return [self._ranking(number, way, judge) for number in range(len(self.questions))]

    def _ranking(self, number: int, way: Way, judge: Judge | None) -> list[int]:
        question = self.questions[number].text
        cosines = self.vectors @ self.asked[number]
        said = self.words(self.expressions[number], way.fields)
        near = nearest(cosines)
        if way.filled and not looks_like_code(question):
            near |= {unit: float(cosines[unit]) for unit in said}
        fold = not looks_like_code(question) if way.folded is None else way.folded
        if fold:
            near, said = self._folded(near), self._folded(said)
        best = _fused(near, said, way, question, self.floor)
        if way.fuse == "scores":
            best = self._in_order(best, way, question)
        if judge is None or way.reranked is None:
            return list(best)
        top = list(best)[: way.recall]
        probabilities = judge(question, [self.units[unit].reranked for unit in top])
        final = {
            unit: judged(best[unit], probability, way.reranked)
            for unit, probability in zip(top, probabilities, strict=True)
        }
        return [*sorted(top, key=lambda unit: -final[unit]), *list(best)[way.recall :]]

    def _folded(self, scores: dict[int, float]) -> dict[int, float]:
        return numbered(folded(named(scores), {str(unit): str(self.units[unit].head) for unit in scores}))

    def _in_order(self, best: dict[int, float], way: Way, question: str) -> dict[int, float]:
        """With what files, names and kinds say, as in the product; of peers only the files are known."""
        chunks = {str(unit): chunk for unit in best if (chunk := self.units[unit].chunk)}
        if len(chunks) == len(best):
            return numbered(in_order(question, named(best), chunks, way.order))
        files = {str(unit): self.units[unit].path for unit in best}
        return numbered(with_file(named(best), files, way.order.file))

    def ranks(self, rankings: Sequence[Sequence[int]]) -> Values:
        pairs = zip(rankings, self.right, strict=True)
        return np.array([reciprocal_rank(ranking, right) for ranking, right in pairs])

    def measured(self, rankings: Sequence[Sequence[int]], whole: int = WHOLE) -> dict[str, Values]:
        contexts = [
            in_context(ranking, self.units, question, whole)
            for ranking, question in zip(rankings, self.questions, strict=True)
        ]
        kept = [
            in_context(ranking[:KEPT], self.units, question)
            for ranking, question in zip(rankings, self.questions, strict=True)
        ]
        pairs = list(zip(rankings, self.right, strict=True))
        return {
            "MRR@10": self.ranks(rankings),
            "recall@20": np.array([float(bool(right & set(ranking[:RECALL]))) for ranking, right in pairs]),
            "inside": np.array([inside for inside, _ in contexts]),
            "lines inside": np.array([lines for _, lines in contexts]),
            "inside, three kept": np.array([inside for inside, _ in kept]),
        }


def named(scores: Mapping[int, float]) -> dict[str, float]:
    """By ids, as the product has them."""
    return {str(unit): score for unit, score in scores.items()}


def numbered(scores: Mapping[str, float]) -> dict[int, float]:
    return {int(unit): score for unit, score in scores.items()}


def _fused(
    near: dict[int, float], said: dict[int, float], way: Way, question: str, floor: float
) -> dict[int, float]:
    weight = words_weight(question) if way.weight is None else way.weight
    match way.fuse:
        case "dense":
            return near
        case "words":
            return said
        case "ranks":
            return numbered(reciprocal_rank_fusion([list(named(near)), list(named(said))], [1, 1]))
        case _:
            return numbered(score_fusion(named(near), named(said), weight, floor))


def searched(corpus: Corpus, units: Sequence[Unit], embed: Embeddings) -> Searched:
    vectors = embed([unit.embedded for unit in units])
    asked = embed.asked([question.text for question in corpus.questions])
    return Searched(units, corpus.questions, vectors, asked, embed.floor)


WAYS = {
    "dense": Way("dense"),
    "BM25": Way("words"),
    "RRF": Way("ranks"),
}


def beside(corpus: Corpus, embed: Embeddings) -> dict[str, Any]:
    """Chunkers, each with vectors, words and reciprocal rank fusion; ours with the product's search too.

    What lies behind the product's search is paired over the questions.
    """
    half = first_half(corpus.questions)
    one = searched(corpus, ours(corpus.sources), embed)
    product = one.measured(one.rankings(Way()))
    results: dict[str, Any] = {}
    for name, cut in CHUNKERS.items():
        one = searched(corpus, cut(corpus.sources), embed)
        ways = WAYS | ({"scores": Way()} if name.startswith("cesello") else {})
        for kind, way in ways.items():
            values = one.measured(one.rankings(way))
            result = {"units": len(one.units)} | summary(values, half) | change(values, product)
            results[f"{name}, {kind}"] = result
            show(f"{name}, {kind}", result)
    return results


Cut = Callable[[Mapping[str, str]], list[Unit]]
CHUNKERS: dict[str, Cut] = {
    "cesello": ours,
    "cesello at 600": partial(ours, maximum=600),
    **{name: partial(peer, name=name) for name in ("cAST", "chonkie", "LangChain", "LlamaIndex")},
    "fixed": fixed,
}


@contextmanager
def instead(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Another part of the tokeniser, or of the comparison of names."""
    own = getattr(module, name)
    setattr(module, name, value)
    try:
        words_module.name_words.cache_clear()
        yield
    finally:
        setattr(module, name, own)
        words_module.name_words.cache_clear()


def same(word: str, asked: str) -> float:
    """Words of names as they are written."""
    return float(word == asked)


def techniques(corpus: Corpus, embed: Embeddings) -> dict[str, Any]:
    """The product's search with one technique left out, and the loss, paired over the questions."""
    half = first_half(corpus.questions)
    product = Way()

    def without(**weights: float) -> Way:
        return replace(product, order=replace(product.order, **weights))

    one = searched(corpus, ours(corpus.sources), embed)
    full = one.measured(one.rankings(product))
    results: dict[str, Any] = {}

    def note(name: str, values: Mapping[str, Values]) -> None:
        results[name] = summary(values, half) | change(values, full)
        show(name, results[name])

    note("all", full)
    for name, way in {
        "parts of a definition apart": replace(product, folded=False),
        "a file's other passages say nothing": without(file=0.0),
        "names of passages say nothing": without(names=0.0),
        "what words find has no cosine": replace(product, filled=False),
        "kinds of passages say nothing": without(kind=0.0),
        "ranks fused, not scores": replace(product, fuse="ranks"),
        "vectors alone": replace(product, fuse="dense"),
        "words alone": replace(product, fuse="words"),
        "one weight, 0.5": replace(product, weight=0.5),
        "no more weight for names": replace(product, fields=(1.0, 1.0, 1.0)),
        "no names and paths among the words": replace(product, fields=(0.0, 0.0, 1.0)),
    }.items():
        note(name, one.measured(one.rankings(way)))
    written = searched(corpus, ours(corpus.sources, read=str), embed)
    note("code as it is written, not as words", written.measured(written.rankings(product)))
    note("passages shown whole", one.measured(one.rankings(product), whole=1_000))
    with instead(names_module, "_alike", same):
        note("words of names as they are written", one.measured(one.rankings(product)))
    for name, part, value in (
        ("words without stems", "_stem", lambda word: word),
        ("words of every question too", "_STOP_STEMS", frozenset[str]()),
        ("identifiers not taken apart", "_parts", lambda word: [word.lower()]),
    ):
        with instead(words_module, part, value):
            other = Searched(one.units, one.questions, one.vectors, one.asked)
            note(name, other.measured(other.rankings(product)))
    return results


def reranked(corpus: Corpus, embed: Embeddings, judge: Judge) -> dict[str, Any]:
    """How much a reranker should say, and of how many."""
    half = first_half(corpus.questions)
    one = searched(corpus, ours(corpus.sources), embed)
    product = one.measured(one.rankings(Way()))
    results: dict[str, Any] = {}
    for recall, weight in (
        (20, 0.0),
        (20, 0.2),
        (20, 0.3),
        (20, 0.5),
        (20, RERANKER_WEIGHT),
        (20, 1.0),
        (10, RERANKER_WEIGHT),
    ):
        name = f"the best {recall}, weight {weight}"
        values = one.measured(one.rankings(Way(reranked=weight, recall=recall), judge))
        results[name] = summary(values, half) | change(values, product)
        show(name, results[name])
    return results


def headers(corpus: Corpus, embed: Embeddings) -> dict[str, Any]:
    """What stands above the code that is embedded."""
    half = first_half(corpus.questions)
    results: dict[str, Any] = {}
    for header in HEADERS:
        one = searched(corpus, ours(corpus.sources, header=header), embed)
        for kind, way in {"dense": WAYS["dense"], "scores": Way()}.items():
            results[f"{header}, {kind}"] = summary(one.measured(one.rankings(way)), half)
            show(f"{header}, {kind}", results[f"{header}, {kind}"])
    return results


def kinds(corpus: Corpus, embed: Embeddings) -> dict[str, Any]:
    """Questions of other kinds: no way of fusion may lose to the better of its two sides by much."""
    results: dict[str, Any] = {}
    for name, other in other_kinds(corpus).items():
        one = searched(other, ours(other.sources), embed)
        half = first_half(other.questions)
        for kind, way in (WAYS | {"scores, 0.5": Way(weight=0.5), "scores": Way()}).items():
            result = summary(one.measured(one.rankings(way)), half)
            results[f"{name}, {kind}"] = {"questions": len(other.questions)} | result
            show(f"{name}, {kind}", result)
    return results


def other_kinds(corpus: Corpus) -> dict[str, Corpus]:
    prose = human_eval()
    classes, constants = things(corpus.sources)
    return {
        "HumanEval": Corpus({**corpus.sources, **prose.sources}, prose.questions),
        "function calls": function_calls(),
        "errors": Corpus(corpus.sources, error_messages(corpus.sources)),
        "names": Corpus(corpus.sources, names(corpus.sources, 400)),
        "classes": classes,
        "constants": constants,
    }


def embedders(corpus: Corpus, judge: Judge) -> dict[str, Any]:
    """The kit's two embedders: what the slower one brings, paired over the questions, and what it takes."""
    results: dict[str, Any] = {}
    for name, kind in ({"docstrings": corpus} | other_kinds(corpus)).items():
        first: dict[str, Mapping[str, Values]] = {}
        for model in (EMBEDDER, BGE_SMALL):
            embed = Embeddings(model=model)
            one = searched(kind, ours(kind.sources, read=embed.read), embed)
            for way, values in _of_embedder(one, judge if name == "docstrings" else None):
                before = first.setdefault(way, values)
                label = f"{name}, {model.rpartition('/')[2]}, {way}"
                result = summary(values, first_half(kind.questions))
                results[label] = result if values is before else result | change(values, before)
                show(label, results[label])
    return results | {"embedding": [_cost(corpus, model) for model in (EMBEDDER, BGE_SMALL)]}


def _of_embedder(one: Searched, judge: Judge | None) -> Iterator[tuple[str, dict[str, Values]]]:
    yield "dense", one.measured(one.rankings(WAYS["dense"]))
    yield "scores", one.measured(one.rankings(Way()))
    if one.floor:
        yield "scores counted from 0", one.measured(replace(one, floor=0.0).rankings(Way()))
    if judge:
        yield "reranked", one.measured(one.rankings(Way(reranked=RERANKER_WEIGHT), judge))


def _cost(corpus: Corpus, model: str) -> dict[str, Any]:
    """Seconds of a processor for every twentieth text, by length, of a loaded model; nothing is kept."""
    texts = sorted(
        {unit.embedded for unit in ours(corpus.sources, read=Embeddings(model=model).read)}, key=len
    )
    seconds: dict[str, Any] = {"model": model, "texts": len(texts)}
    for precision in ("float32", "int8"):
        embedder = OnnxEmbedder(model, HUB, BUILD / "onnx", precision=precision, threads=1)
        embedder.embed(texts[:1])
        before = process_time()
        embedder.embed(texts[10::20])
        seconds[f"{precision}, ms a text"] = round((process_time() - before) / len(texts[10::20]) * 1000, 1)
    print(seconds, flush=True)
    return seconds


def everything(embed: Embeddings, precision: str) -> dict[str, Any]:
    """All files as one corpus, and 20 samples of 60 of them: how much a setting depends on its files."""
    corpus = standard_library()
    one = searched(corpus, ours(corpus.sources), embed)
    results: dict[str, Any] = {"precision": precision, "files": len(corpus.sources)}
    half = first_half(corpus.questions)
    for kind, way in (WAYS | {"scores": Way()}).items():
        results[kind] = summary(one.measured(one.rankings(way)), half) | {"questions": len(corpus.questions)}
        show(f"all files, {kind}", results[kind])
    samples = []
    for seed in range(20):
        sample = standard_library(60, seed)
        part = searched(sample, ours(sample.sources), embed)
        values = {
            kind: part.measured(part.rankings(way))
            for kind, way in {"RRF": WAYS["RRF"], "scores": Way()}.items()
        }
        samples.append(
            {"seed": seed, "questions": len(sample.questions)}
            | {
                kind: {name: round(float(each.mean()), 3) for name, each in value.items()}
                for kind, value in values.items()
            }
        )
        print(samples[-1], flush=True)
    return results | {"samples of 60": samples}


def main() -> None:
    embed = Embeddings()
    corpus = standard_library(60)
    print(f"{len(corpus.sources)} files, {len(corpus.questions)} questions")
    sections: dict[str, Callable[[], Any]] = {
        "techniques": lambda: techniques(corpus, embed),
        "reranked": lambda: reranked(corpus, embed, Judge()),
        "beside": lambda: beside(corpus, embed),
        "kinds": lambda: kinds(corpus, embed),
        "headers": lambda: headers(corpus, embed),
        "embedders": lambda: embedders(corpus, Judge()),
        "all files": lambda: everything(Embeddings("int8"), "int8"),
    }
    asked = [name for name in sections if f"--{name.replace(' ', '-')}" in sys.argv]
    for name in asked or [name for name in sections if name not in ("all files", "embedders")]:
        found = sections[name]()
        written: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        written["machine"] = f"{platform.machine()}, two shared cores, no GPU"
        written["setting"] = {"files": len(corpus.sources), "questions": len(corpus.questions), "seed": 7}
        written[name] = found
        RESULTS.write_text(json.dumps(written, indent=2) + "\n")


if __name__ == "__main__":
    main()
