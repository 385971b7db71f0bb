"""Which procedure a request is for, or none.

Every request of which it is known what it is for (examples, negatives, evals, requests that a person has
labelled, and ``off_topic``) has a vote for each procedure and one for none, and a new request counts a vote
as much as it is like the one that has it: kernel ridge regression on how like each other they are by
``request_features`` (Saunders, Gammerman & Vovk, 1998, "Ridge regression learning algorithm in dual
variables"). A request's score for a procedure is what is voted for it less what is voted for none. Below a
threshold that ``calibration`` sets, nothing applies: a procedure that nobody wanted is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from json import dumps

from .off_topic import OFF_TOPIC
from .procedure import Procedure
from .request_features import Features, Vocabulary, normalised, says_something
from .retrieval import Embedding

PENALTY = 1.0
"""Of the ridge; from 0.5 to 2 cross-validation finds hardly a difference."""

_USUAL = re.compile(
    r"bash|bat|bib|c|cc|cfg|cjs|clj|cpp|cs|css|csv|cxx|dart|diff|ex|exs|f90|fs|go|gradle|groovy|h|hh|"
    r"hpp|hs|htm|html|ini|ipynb|java|jl|js|json|jsonl|jsx|kt|kts|less|lock|log|lua|m|md|mjs|ml|mm|"
    r"patch|php|pl|pm|proto|ps1|py|pyi|pyx|r|rb|rs|rst|sass|scala|scss|sh|sql|svelte|swift|tex|tf|"
    r"toml|ts|tsv|tsx|txt|vb|vue|xml|yaml|yml|zig"
)
"""Extensions of files that people work on."""
_LIBRARY = re.compile(
    r"(?:alpine|angular|backbone|chart|d3|ember|express|knockout|moment|nest|next|node|"
    r"nuxt|p5|react|solid|three|vue)\.js"
)

_FILE = re.compile(r"(?<![\w@/])(?:[\w.-]+/)*[\w-]+(?:\.[A-Za-z_][\w-]{0,9})+\b(?!\()")


@dataclass(frozen=True, slots=True)
class Known:
    """A request of which it is known what it is for.

    Attributes:
        procedure: None: for none, or at least not for ``against``.
        against: the procedure that it is not for; None where it is for no procedure at all.
        judged: whether a threshold is chosen by it: an example says what is meant, and does not measure.
    """

    text: str
    procedure: str | None
    against: str | None = None
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """How a request stands to a procedure.

    Attributes:
        threshold: that the score had to reach.
        like: the known request that speaks most for it, and ``unlike`` the one that speaks most against it.
        barred: why it could not apply whatever its score; empty: it could.
    """

    name: str
    score: float
    threshold: float
    like: str = ""
    unlike: str = ""
    barred: str = ""

    @property
    def applies(self) -> bool:
        """Whether it may be used."""
        return not self.barred and self.score >= self.threshold


@dataclass(frozen=True, slots=True)
class Votes:
    """What was learnt.

    Attributes:
        names: of the procedures.
        known: the requests, and their ``features`` by ``vocabulary``.
        votes: shape (len(known), len(names) + 1), the last for none.
        threshold: from which a procedure applies that names none of its own.
    """

    names: tuple[str, ...]
    known: tuple[Known, ...]
    features: Sequence[Features]
    vocabulary: Vocabulary
    votes: Sequence[Sequence[float]]
    threshold: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is kept of ``Votes``: the rest comes from the procedures and the embedder.

    Attributes:
        embedder: its fingerprint.
        digest: of the procedures that it was learnt from.
        labelled: what a person has said besides.
        votes: of ``known_requests``, in their order.
        figures: what the threshold does, for a person.
    """

    embedder: str
    digest: str
    labelled: tuple[Known, ...]
    votes: Sequence[Sequence[float]]
    threshold: float
    figures: Mapping[str, float]

    @property
    def identity(self) -> str:
        """16 hexadecimal digits that stand for what decides the matches."""
        labelled = [[one.text, one.procedure] for one in self.labelled]
        parts = [self.embedder, self.digest, labelled, round(self.threshold, 6)]
        return sha256(dumps(parts, ensure_ascii=True).encode()).hexdigest()[:16]


def known_requests(procedures: Sequence[Procedure], labelled: Sequence[Known] = ()) -> tuple[Known, ...]:
    """All that is known, each text once: what comes first is believed."""
    found: dict[str, Known] = {}

    def add(known: Known) -> None:
        text = normalised(known.text)
        if says_something(text):
            found.setdefault(text.casefold(), Known(text, known.procedure, known.against, known.judged))

    for one in labelled:
        add(one)
    for procedure in procedures:
        name, triggers = procedure.name, procedure.triggers
        for text in triggers.examples:
            add(Known(text, name))
        add(Known(procedure.description, name))
        add(Known(" ".join((name.replace("-", " "), *triggers.keywords)), name))
    for procedure in procedures:
        name = procedure.name
        for text in procedure.triggers.negatives:
            add(Known(text, None, name))
        for one_eval in procedure.evals:
            right = name if one_eval.should_trigger else None
            add(Known(one_eval.query, right, None if right else name, judged=True))
    for text in OFF_TOPIC:
        add(Known(text, None, judged=True))
    return tuple(found.values())


def targets(known: Sequence[Known], names: Sequence[str]) -> list[list[float]]:
    """What the votes for each request should come to, shape (len(known), len(names) + 1): 1 for what it is
    for.
    """
    columns = {name: at for at, name in enumerate(names)}
    rows = []
    for one in known:
        row = [0.0] * (len(names) + 1)
        row[len(names) if one.procedure is None else columns[one.procedure]] = 1.0
        rows.append(row)
    return rows


def digest(procedures: Sequence[Procedure]) -> str:
    """16 hexadecimal digits for all that matching knows by these procedures."""
    known = known_requests(procedures)
    rows = [[one.text, one.procedure, one.against, one.judged] for one in known]
    return sha256(dumps(rows, ensure_ascii=True).encode()).hexdigest()[:16]


def matches(
    request: str,
    vector: Embedding,
    votes: Votes,
    procedures: Sequence[Procedure],
    tools: frozenset[str] | None = None,
) -> list[Match]:
    """How a request stands to each procedure, best first; those that cannot apply last.

    Args:
        vector: of the normalised request.
        tools: that there are; None: any.
    """
    text = normalised(request)
    asked = Features(vector, votes.vocabulary.sparse(text))
    near = [asked.likeness(one) for one in votes.features]
    nothing = "" if says_something(text) else "the request says nothing"
    found = []
    for procedure in procedures:
        at = votes.names.index(procedure.name)
        own = [alike * (row[at] - row[-1]) for alike, row in zip(near, votes.votes, strict=True)]
        lowest = procedure.triggers.min_score
        found.append(
            Match(
                procedure.name,
                sum(own),
                votes.threshold if lowest is None else lowest,
                votes.known[max(range(len(own)), key=own.__getitem__)].text if own else "",
                votes.known[min(range(len(own)), key=own.__getitem__)].text if own else "",
                nothing or barred(procedure, text, tools),
            )
        )
    return sorted(found, key=lambda match: (bool(match.barred), -match.score, match.name))


def best(found: Sequence[Match]) -> Match | None:
    """The one that is to be used: the first, where it applies."""
    return next((match for match in found if match.applies), None)


def barred(procedure: Procedure, request: str, tools: frozenset[str] | None = None) -> str:
    """Why a procedure cannot be used for a request, whatever that means; empty where it can."""
    globs = procedure.triggers.files
    files = files_in(request, globs)
    if globs and files and not any(_is_one(file, globs) for file in files):
        return f"it is for {', '.join(globs)}"
    needed = {*procedure.allowed_tools, *(tool for step in procedure.steps for tool in step.tools)}
    lacking = sorted(needed - tools) if tools is not None else []
    return f"it needs {', '.join(lacking)}" if lacking else ""


def files_in(request: str, globs: Sequence[str] = ()) -> list[str]:
    """What in a request is the name of a file: by its extension, which must be a usual one or that of a glob.

    A dot alone says nothing: there are versions, addresses, attributes, abbreviations and names as Node.js.
    """
    own = {_ending(glob) for glob in globs}
    return [
        name
        for name in _FILE.findall(request)
        if (_ending(name) in own or _USUAL.fullmatch(_ending(name)))
        and not _LIBRARY.fullmatch(name.casefold())
    ]


def _ending(name: str) -> str:
    return name.rpartition(".")[2].casefold()


def _is_one(file: str, globs: Sequence[str]) -> bool:
    name = file.rpartition("/")[2]
    return any(fnmatchcase(file, glob) or fnmatchcase(name, glob) for glob in globs)
