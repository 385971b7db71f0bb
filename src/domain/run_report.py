"""A run as a person reads it: what it was, what it brought, what to look at, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .health import Health, health
from .quoted_passages import span_of
from .recorded_run import Line, RecordedRun, figure, figures, part, parts, text, texts, whole
from .report_ablation import AblationView, ablation_view
from .report_charts import Chart, charts
from .report_gains import Gain, gains
from .report_groups import Group, Retrieved, groups, retrieved
from .report_memory import read_groups
from .report_procedures import Given, given
from .report_samples import SamplePair, sample_pairs
from .report_search import SearchView, search_view
from .report_time import TimeSpent, time_spent, wall_seconds
from .report_verdict import verdict
from .secret_text import Redact, redacted

Fact = tuple[str, str]
"""A name, and what is so."""

_TEXTS = 1 << 15
"""That are remembered while a report is made."""


@dataclass(frozen=True, slots=True)
class MixtureRow:
    """What one source brought; shares are of the rows drawn, in [0, 1].

    Attributes:
        tokens_share: of the tokens drawn.
        dropped: reasons, and how many rows.
    """

    name: str
    origin: str
    read: int
    kept: int
    held_out: int
    planned: float | None
    realised: float | None
    drawn: int
    tokens: int
    tokens_share: float | None
    passes: float | None
    dropped: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class MaskedRow:
    """A row as the model sees it.

    Attributes:
        pieces: its tokens as text, each with whether it is trained.
        tokens: of all of it; ``trained_tokens`` of them are trained.
        left_out: tokens at its end that were not kept.
        memory: passages in it, from the first to the last (not included) of the tokens in ``read``;
            ``without``: why those that were found are not in it.
        procedure: that matched it: name, the beginning of its digest (``version``), and how it was given
            (``mode``).
    """

    source: str
    place: str
    tokens: int
    trained_tokens: int
    truncated: bool
    pieces: tuple[tuple[str, bool], ...]
    left_out: int = 0
    memory: tuple[Retrieved, ...] = ()
    read: tuple[int, int] | None = None
    without: str = ""
    procedure: str = ""
    mode: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Alarmed:
    """An alarm that was told while it was trained."""

    step: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that is shown of a run; what the run lacks is empty.

    Attributes:
        verdict: a sentence or two.
        facts: at its head.
        notes: what was left out of this report, and what could not be read.
        provenance: versions, digests and the like; ``identity`` what must be the same to go on with it.
    """

    id: str
    name: str
    algorithm: str
    status: str
    verdict: tuple[str, ...]
    facts: tuple[Fact, ...]
    gains: tuple[Gain, ...]
    health: Health
    alarms: tuple[Alarmed, ...]
    charts: tuple[Chart, ...]
    mixture: tuple[MixtureRow, ...]
    rows: tuple[MaskedRow, ...]
    groups: tuple[Group, ...]
    samples: tuple[SamplePair, ...]
    search: SearchView | None
    given: Given | None
    ablation: AblationView | None
    time: TimeSpent | None
    provenance: tuple[Fact, ...]
    versions: tuple[Fact, ...]
    identity: tuple[Fact, ...]
    weights: tuple[Fact, ...]
    notes: tuple[str, ...]


def run_report(run: RecordedRun, redact: Redact = redacted) -> Report:
    """The report of a run.

    Args:
        redact: takes secrets out of texts that are cut, or taken apart, here. What is whole keeps its own.

    Raises:
        ValueError, TypeError, KeyError: the run's files hold what cesello never writes there.
    """
    manifest = run.manifest
    redact = lru_cache(_TEXTS)(redact)  # what is read is shown as well
    read = read_groups(run, redact)
    shown, notes = groups(run, read, redact)
    time = time_spent(run)
    return Report(
        id=text(manifest, "id"),
        name=text(manifest, "name"),
        algorithm=run.algorithm,
        status=run.status,
        verdict=verdict(run),
        facts=tuple(_facts(run, time)),
        gains=gains(run),
        health=health(run),
        alarms=tuple(
            Alarmed(whole(one, "step"), text(one, "name"), text(one, "text")) for one in run.log("alarms")
        ),
        charts=charts(run),
        mixture=tuple(_mixture(parts(part(manifest, "data"), "sources"))),
        rows=tuple(map(_row, run.rows)),
        groups=shown,
        samples=sample_pairs(run, redact),
        search=search_view(run, redact),
        given=given(run, read),
        ablation=ablation_view(run),
        time=time,
        provenance=tuple(_provenance(run)),
        versions=tuple(_names(part(manifest, "versions"))),
        identity=tuple(_names(part(manifest, "identity"))),
        weights=tuple(_names(part(manifest, "weights"))),
        notes=(*run.damaged, *_unsaid(run), *notes),
    )


def _unsaid(run: RecordedRun) -> Iterator[str]:
    if run.algorithm != "apo" or (run.search and not run.search.get("unfinished")):
        return
    again = "" if run.status == "running" else ": `cesello train RECIPE --resume --run RUN` goes on to it"
    known = "a candidate's score is of the tasks that it was tried on so far"
    if not run.search:
        known = "nothing of it can be shown"
    yield f"The search has not come to its end, and has neither a test nor a verdict; {known}{again}."


def _facts(run: RecordedRun, time: TimeSpent | None) -> Iterator[Fact]:
    manifest, model = run.manifest, part(run.manifest, "model")
    yield "model", text(model, "name") or "-"
    if model:
        trainable, every = whole(model, "trainable_parameters"), whole(model, "parameters")
        if run.algorithm == "apo":  # a search trains none
            yield "weights", f"{every:,}"
        else:
            yield "trained weights", f"{trainable:,} of {every:,}"
        yield "on", f"{text(model, 'device')}, {text(model, 'dtype')}, quantizer {text(model, 'quantizer')}"
    unit = "rollouts" if run.algorithm == "apo" else "steps"
    done = max([whole(manifest, "steps"), *(whole(line, "step") for line in run.log("metrics")[-1:])])
    yield unit, f"{done:,} of {whole(manifest, 'planned_steps'):,}"
    if tokens := sum(whole(line, "tokens") for line in run.log("metrics")):
        trained = sum(whole(line, "trained_tokens") for line in run.log("metrics"))
        yield "tokens", f"{tokens:,}, {trained:,} of them trained"
    if drawn := len(run.log("completions")):
        yield "answers drawn", f"{drawn:,}"
    yield "started", text(manifest, "started").replace("T", " ").removesuffix("+00:00")
    yield from _took(run, time)
    if memory := max((whole(line, "memory") for line in run.log("timings")), default=0):
        yield "memory at most", f"{memory / 2**30:.2f} GiB"
    yield "machine", text(manifest, "machine") or "-"


def _took(run: RecordedRun, time: TimeSpent | None) -> Iterator[Fact]:
    """By spans all of it, as the table of where it went; else what is known, by the name of what it is.

    A run's beginning and end are those of its folder, which is made when data and model are ready. Of a
    search it is the seconds that it counted, of which a process that was gone on with had its part.
    """
    wall = wall_seconds(run.manifest)
    if time and time.took and run.status != "running":
        yield "took", duration(time.took)
    elif run.algorithm == "apo" and (counted := figure(run.manifest, "seconds")):
        yield "answers took", duration(counted)
    elif wall is not None:
        pauses = ", pauses included" if parts(run.manifest, "resumes") else ""
        yield f"training and evaluations took{pauses}", duration(wall)


def duration(seconds: float) -> str:
    """In the units that a person would say it in."""
    if 0 < seconds < 0.1:
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.001 else "< 1 ms"
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _mixture(sources: list[Line]) -> Iterator[MixtureRow]:
    total = sum(whole(one, "drawn_tokens") for one in sources)
    for one in sources:
        tokens = whole(one, "drawn_tokens")
        yield MixtureRow(
            text(one, "name"), text(one, "origin"), whole(one, "read"), whole(one, "kept"),
            whole(one, "held_out"), figure(one, "planned"), figure(one, "realised"), whole(one, "drawn"),
            tokens, tokens / total if total else None, figure(one, "passes"),
            tuple((name, int(count)) for name, count in figures(one, "dropped").items()),
        )  # fmt: skip


def _row(one: Line) -> MaskedRow:
    trained = one.get("trained")
    mask = [bool(each) for each in trained] if isinstance(trained, list) else []
    pieces, procedure = texts(one, "pieces"), part(one, "procedure")
    return MaskedRow(
        text(one, "source"), text(one, "place"), whole(one, "tokens"), whole(one, "trained_tokens"),
        one.get("truncated") is True, tuple(zip(pieces, mask, strict=False)),
        max(0, whole(one, "tokens") - min(len(pieces), len(mask))), retrieved(one),
        span_of(text(one, "memory_text"), pieces), text(one, "memory_left_out"),
        text(procedure, "name"), text(procedure, "mode"), text(procedure, "sha")[:8],
    )  # fmt: skip


def _provenance(run: RecordedRun) -> Iterator[Fact]:
    manifest = run.manifest
    yield "folder", run.path
    yield "seed", str(whole(manifest, "seed"))
    yield "recipe", f"sha256 {text(manifest, 'recipe_sha256')}"
    yield from _given_from(part(manifest, "identity"))
    if digest := text(part(manifest, "data"), "digest") or text(part(manifest, "identity"), "data"):
        yield "data", f"digest {digest}"
    for one in parts(part(manifest, "data"), "sources"):
        yield f"source {text(one, 'name')}", f"{text(one, 'origin')}, fingerprint {text(one, 'fingerprint')}"
    for one in parts(manifest, "resumes"):
        changed = ", ".join(texts(one, "differences"))
        inexact = f"; not exactly: {changed}" if changed else ""
        yield "gone on with", f"after step {whole(one, 'step')}, {text(one, 'at')}{inexact}"
    if figure(manifest, "best_step") is not None:
        yield "weights", f"of step {whole(manifest, 'best_step')}, the best by held-out rows"
    if ended := text(manifest, "ended_by") or text(part(manifest, "data"), "ended_by"):
        yield "ended by", ended


def _given_from(identity: Line) -> Iterator[Fact]:
    """What rows and prompts were given comes from."""
    generation = text(identity, "memory generation")
    for name in ("memory retrieve", "memory search"):
        if its := text(identity, name):
            yield name, f"{its}{f'; generation {generation}' if generation else ''}"
    procedures = text(identity, "recipe memory.procedures").strip('"')
    if procedures and procedures != "off":
        yield "procedures", procedures


def _names(values: Line) -> Iterator[Fact]:
    return ((str(name), str(value)) for name, value in values.items())
