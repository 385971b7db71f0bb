"""Search a prompt, kill the process at drawn points, go on, and look at what was found and what was asked.

Usage: python -m tests.integration.killed_search FOLDER KILLS SEED

A process that has all libraries loaded forks a child for every start. A point is a statement of the ledger's
SQLite, the moment before it is carried out, or an answer of the model or of the proposer, the moment before
anybody hears of it. What the child has asked, and what the ledger has acknowledged, it writes down.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cesello.adapters.prompt.sqlite_ledger import SqliteLedger
from cesello.application.search_prompt import PromptSearchRequest, SearchPrompt
from cesello.application.try_prompts import Engine
from cesello.domain.conversation import Conversation
from cesello.domain.generation import Completion, Sampling
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import Budget, Proposal, SearchView, Trial
from tests.fakes.prompt import ClauseProposer, ClauseWorld, RightOrWrong, simulated_parts
from tests.fakes.run import FakeStop, RecordingObserver

LEDGER, NOTES, REPORT = Path("ledger.sqlite3"), Path("notes.jsonl"), Path("report.json")
BATCH = 8
REQUEST = PromptSearchRequest(
    PromptProgram("Answer."),
    ("system",),
    simulated_parts(60, 30, 40),
    Budget(400, optimizer_calls=60),
    batch=BATCH,
)
EFFECTS = (0.25, 0.15, -0.2, 0.1, -0.1, 0.0, 0.05, -0.3, 0.0, 0.0, -0.05, 0.1)


class Points:
    """Counts them, and ends the process at one of them as a power cut would."""

    def __init__(self, last: int | None) -> None:
        self.last = last
        self.passed = 0

    def __call__(self, *_: object) -> None:
        self.passed += 1
        if self.passed == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def note(**what: object) -> None:
    """Adds a line that outlasts the process."""
    descriptor = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (json.dumps(what) + "\n").encode())
    os.close(descriptor)


class NotedLedger(SqliteLedger):
    """Says what it was told to write, and that it is written."""

    def add_trials(self, trials: Sequence[Trial]) -> None:
        keys = [[one.key.candidate, one.key.task, one.key.replicate] for one in trials]
        note(asked=keys)
        super().add_trials(trials)
        note(kept=keys)

    def add_proposals(self, key: str, proposals: Sequence[Proposal]) -> None:
        note(asked=[key])
        super().add_proposals(key, proposals)
        note(kept=[key])


class NotedWorld(ClauseWorld):
    """Says how many prompts it answers."""

    points: Points

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        note(answers=len(prompts))
        answers = super().generate(prompts, sampling)
        self.points()
        return answers


class NotedProposer(ClauseProposer):
    """One call each, and a point."""

    points: Points

    def propose(self, view: SearchView, count: int, seed: int) -> list[Proposal]:
        note(calls=count)
        proposals = super().propose(view, count, seed)
        self.points()
        return proposals


def search(last: int | None) -> int:
    """One start, to its end or to that point; how many points it had."""
    points = Points(last)
    ledger = NotedLedger(LEDGER, "engine")
    ledger.candidates()
    assert ledger._connection is not None
    ledger._connection.set_trace_callback(points)
    world, proposer = NotedWorld(1, EFFECTS), NotedProposer(len(EFFECTS), calls_each=1)
    world.points = proposer.points = points
    engine = Engine(world, RightOrWrong(), ledger)
    # With the time of the machine no two reports would be the same.
    report = SearchPrompt(engine, [proposer], RecordingObserver(), FakeStop(), lambda: 0.0)(REQUEST)
    ledger.close()
    # Not its calls: one that was killed is paid for, and made again.
    spent = [[one.phase, one.rollouts, one.tokens] for one in report.spent]
    kept = {name: value for name, value in report.as_json().items() if name != "spent"}
    REPORT.write_text(json.dumps({"spent": spent, **kept}, sort_keys=True))
    return points.passed


def in_child(last: int | None) -> int | None:
    """A start in a child: its points, or None where it was killed at the one given."""
    Path("points").unlink(missing_ok=True)
    child = os.fork()
    if not child:
        status = 70
        try:
            Path("points").write_text(str(search(last)))
            status = 0
        except BaseException as failure:
            sys.stderr.write(f"{type(failure).__name__}: {failure}\n")
            sys.stderr.flush()
        os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGKILL:
        return None
    if code:
        raise SystemExit(f"a start ended with {code}")
    return int(Path("points").read_text())


def notes() -> list[dict[str, Any]]:
    return [json.loads(line) for line in NOTES.read_text().splitlines()]


def wrong(kills: int) -> list[str]:
    """What was asked although it was written down, and answers that nobody asked for."""
    kept: set[str] = set()
    said = Counter[str]()
    problems = []
    for line in notes():
        if "asked" in line:
            again = [key for key in map(json.dumps, line["asked"]) if key in kept]
            problems += [f"asked again: {key}" for key in again]
        kept |= set(map(json.dumps, line.get("kept", ())))
        said["answers"] += line.get("answers", 0)
        said["calls"] += line.get("calls", 0)
    trials = sum(key.startswith("[") for key in kept)
    # A batch that was answered when the process died is asked once more, and nothing else.
    if not trials <= said["answers"] <= trials + BATCH * kills:
        problems.append(f"{said['answers']} answers for {trials} trials after {kills} kills")
    begun = sum(key.startswith('"call ') for key in kept)
    if not said["calls"] <= begun <= REQUEST.budget.optimizer_calls:
        problems.append(f"{said['calls']} calls, of which {begun} are paid for")
    if trials > REQUEST.budget.rollouts:
        problems.append(f"{trials} trials are more than the budget")
    return problems


def life(draw: random.Random, kills: int, points: int) -> dict[str, Any]:
    """A search that is killed so many times, and then comes to its end."""
    for path in (LEDGER, Path(f"{LEDGER}-wal"), Path(f"{LEDGER}-shm"), NOTES, REPORT):
        path.unlink(missing_ok=True)
    done = 0
    while done < kills:
        # Of all points that a search has; what an earlier start has done takes few.
        if in_child(draw.randint(1, max(2, points // 2 if done else points))) is None:
            done += 1
        else:
            break
    assert in_child(None) is not None
    return {"kills": done, "wrong": wrong(done), "report": json.loads(REPORT.read_text())}


def campaign(kills: int, seed: int) -> dict[str, Any]:
    """So many kills in all, a few of them in each search."""
    draw = random.Random(seed)
    points = in_child(None)
    assert points is not None
    whole = json.loads(REPORT.read_text())
    problems, done, lives = wrong(0), 0, 0
    while done < kills:
        found = life(draw, draw.randint(1, min(4, kills - done)), points)
        problems += found["wrong"]
        if found["report"] != whole:
            problems.append("another report")
        done, lives = done + found["kills"], lives + 1
    winner = whole["winner"]["system"]
    return {"wrong": problems, "kills": done, "lives": lives, "points": points, "winner": winner}


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    sys.stdout.write(json.dumps(campaign(int(sys.argv[2]), int(sys.argv[3]))) + "\n")
