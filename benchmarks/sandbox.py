"""What the sandbox costs, and whether it lasts: against a bare interpreter, and over ten thousand gradings.

python benchmarks/sandbox.py [GRADINGS]

The overhead is measured alternating, one grading after one bare `python -I -S` run of the same program with
the same tests behind it. Of the gradings three in ten are hostile.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cesello.adapters.sandbox.local_sandbox import LocalSandbox
from cesello.domain.code_tests import CodeTests, Grading, Limits
from cesello.domain.reward import Verdict

RESULT = Path(__file__).resolve().parent / "results" / "sandbox.json"
PAIRS = 60
BATCH = 100
LIMITS = Limits(wall=1.0, cpu=1, memory=2**28)

PROGRAM = """
def middle(numbers):
    ordered, half = sorted(numbers), len(numbers) // 2
    return ordered[half] if len(numbers) % 2 else (ordered[half - 1] + ordered[half]) / 2
"""
CODE = """
def check(candidate):
    assert candidate([3, 1, 2]) == 2
    assert candidate([4, 1, 3, 2]) == 2.5
    assert candidate([7]) == 7
"""
TESTS = CodeTests(code=CODE, entry_point="middle")
HOSTILE = (
    "import os\nos._exit(0)",
    "import os\nos.fork()",
    "def middle(numbers):\n    raise SystemExit(0)",
    "class Equal(int):\n    __eq__ = lambda self, other: True\nmiddle = Equal",
    "import os\nos.closerange(0, 4096)",
    "import os\ntry:\n    while True:\n        os.dup(0)\nexcept OSError:\n    pass",
    "import ctypes\nctypes.string_at(0)",
    "def middle(numbers):\n    return [0] * 10**6",
    "def middle(numbers):\n    return middle(numbers)",
    "import threading, time\nfor _ in range(20):\n    threading.Thread(target=time.sleep, args=(9,)).start()",
    "kept = bytearray(2**29)",
    "open('x', 'w')",
    "import socket\nsocket.socket()",
    "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "print('x' * 2**22)",
)
SLOW = "while True:\n    pass"
"""One program in a thousand: it takes the whole second that it is given."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What this process and those below it hold."""

    descriptors: int
    processes: int
    zombies: int
    megabytes: float
    megabytes_of_others: float


def usage() -> Usage:
    others = list(descendants())
    alive = [pid for pid, state in others if state != "Z"]
    return Usage(
        len(os.listdir("/proc/self/fd")),
        len(alive),
        len(others) - len(alive),
        _resident(os.getpid()),
        round(sum(map(_resident, alive)), 1),
    )


def _resident(pid: int) -> float:
    """Proportional megabytes: what is shared is shared out."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return round(next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024, 1)


def descendants(of: int | None = None) -> Iterator[tuple[int, str]]:
    """Every process below this one, or another, with its state."""
    table: dict[int, list[tuple[int, str]]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, parent = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        table.setdefault(int(parent), []).append((int(name), state))
    rest = [of or os.getpid()]
    while rest:
        for child in table.get(rest.pop(), []):
            yield child
            rest.append(child[0])


def overhead(sandbox: LocalSandbox) -> dict[str, float]:
    """Medians of a grading and of a bare run, in turn; tests that keep nothing back from the program."""
    bare, graded = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "graded.py"
        script.write_text(f"{PROGRAM}{CODE}check(middle)\n")
        for _ in range(PAIRS):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-S", str(script)], check=True)
            bare.append(time.perf_counter() - began)
            began = time.perf_counter()
            (grade,) = sandbox.grade([Grading(PROGRAM, TESTS, LIMITS)])
            graded.append(time.perf_counter() - began)
            assert grade.verdict is Verdict.PASSED, grade
    one, other = statistics.median(bare), statistics.median(graded)
    return {
        "bare, ms": round(one * 1000, 1),
        "graded, ms": round(other * 1000, 1),
        "times": round(other / one, 2),
    }


def gradings(count: int) -> list[tuple[Grading, bool]]:
    """Each with whether it is honest: three in ten are not, spread evenly."""
    made = []
    for n in range(count):
        hostile = n % 10 in (2, 5, 8)
        slow = n % 1000 == 2
        tried = n * 3 // 10  # of the hostile ones, each in turn
        program = SLOW if slow else HOSTILE[tried % len(HOSTILE)] if hostile else PROGRAM
        made.append((Grading(program, TESTS, LIMITS), not hostile))
    return made


def endurance(sandbox: LocalSandbox, count: int) -> dict[str, object]:
    """Verdicts, speed, and what is held at a tenth of the way and at the end."""
    work = gradings(count)
    verdicts: Counter[str] = Counter()
    mistakes = 0
    seen: list[Usage] = []
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        part = work[start : start + BATCH]
        for grade, (_, honest) in zip(sandbox.grade([one for one, _ in part]), part, strict=True):
            verdicts[grade.verdict] += 1
            mistakes += honest != (grade.verdict is Verdict.PASSED)
        seen.append(usage())
    seconds = time.perf_counter() - began
    early = seen[len(seen) // 10]
    return {
        "gradings": count,
        "hostile": sum(not honest for _, honest in work),
        "verdicts": dict(sorted(verdicts.items())),
        "mistakes": mistakes,
        "per second": round(count / seconds, 1),
        "zombies, most": max(one.zombies for one in seen),
        "descriptors": [early.descriptors, seen[-1].descriptors],
        "processes": [early.processes, seen[-1].processes],
        "megabytes": [early.megabytes, seen[-1].megabytes],
        "megabytes of its processes": [early.megabytes_of_others, seen[-1].megabytes_of_others],
    }


def main() -> None:
    """Both, on the tier that is chosen here."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    sandbox = LocalSandbox()
    sandbox.grade([Grading(PROGRAM, TESTS, LIMITS)] * 4)
    result: dict[str, object] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores",
        "tier": sandbox.tier.name,
        "user": "root" if os.geteuid() == 0 else "ordinary",
        "overhead over python -I -S": overhead(sandbox),
        "endurance": endurance(sandbox, count),
    }
    sandbox.close()
    result["processes left"] = usage().processes
    print(json.dumps(result, indent=2))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
