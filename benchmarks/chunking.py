"""Cutting the standard library into chunks, beside four chunkers that people use.

Every contender has a process of its own and the same files, as text in memory; they take turns, and the best
turn's processor time counts. What they do to functions is judged by Python's own parser.

    pip install --target build/memory-peers chonkie llama-index-core langchain-text-splitters astchunk \\
        tree-sitter-language-pack==0.13.0
    python benchmarks/chunking.py [turns]
"""

from __future__ import annotations

import ast
import json
import platform
import re
import sys
import sysconfig
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.peers.chunkers import CONTENDERS, PEERS, ask

RESULT = Path(__file__).resolve().parent / "results" / "chunking.json"
MAXIMUM = 900
TURNS = 3
LEFT_OUT = {"site-packages", "test", "tests", "distutils", "encodings", "lib2to3", "turtledemo"}

Span = tuple[int, int]


def stdlib() -> list[Path]:
    """The modules of the running interpreter that are UTF-8, without tests and what is hardly code."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(file for file in root.rglob("*.py") if not LEFT_OUT & set(file.relative_to(root).parts))
    return [file for file in files if _is_text(file)]


def _is_text(file: Path) -> bool:
    try:
        return "\r" not in file.read_bytes().decode()
    except UnicodeDecodeError:
        return False


def functions(code: str) -> Iterator[Span]:
    """First and last character of every function, decorators left out."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return
    lines = re.findall(r"[^\n]*\n|[^\n]+", code)
    starts = [0, *accumulate(map(len, lines))]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            first, last = node.lineno - 1, node.end_lineno - 1
            yield (
                starts[first] + len(lines[first].encode()[: node.col_offset].decode()),
                starts[last] + len(lines[last].encode()[: node.end_col_offset].decode()),
            )


def spans(code: str, chunks: list[str]) -> list[Span]:
    """Where the chunks are; of a chunk that was altered, its lines."""
    found: list[Span] = []
    at = 0
    for chunk in chunks:
        place = code.find(chunk, at)
        if place >= 0:
            found.append((place, place + len(chunk)))
            at = place + len(chunk)
            continue
        for line in filter(None, map(str.strip, chunk.splitlines())):
            place = code.find(line, at)
            if place >= 0:
                found.append((place, place + len(line)))
                at = place + len(line)
    return found


def lost(code: str, covered: list[Span]) -> int:
    """Characters that are in no chunk, white space not counted."""
    total, at = 0, 0
    for start, end in [*sorted(covered), (len(code), len(code))]:
        total += len("".join(code[at:start].split()))
        at = max(at, end)
    return total


def judged(codes: list[str], answers: list[list[str] | None]) -> dict[str, float]:
    """Figures over all files, in per cent where not otherwise said."""
    count = dict.fromkeys(("functions", "cut", "chunks", "cutting", "above", "small", "lost", "letters"), 0)
    characters = written = failed = 0
    for code, chunks in zip(codes, answers, strict=True):
        failed += chunks is None
        chunks = chunks or []
        places = spans(code, chunks)
        fitting = [span for span in functions(code) if span[1] - span[0] <= MAXIMUM]
        borders = sorted({border for place in places for border in place})
        whole = sorted(places)
        count["functions"] += len(fitting)
        count["cut"] += sum(not _inside(span, whole) for span in fitting)
        count["chunks"] += len(chunks)
        torn = [border for start, end in fitting for border in _between(borders, start, end)]
        count["cutting"] += len({place for place in places if {*place} & {*torn}})
        count["above"] += sum(len(chunk) > MAXIMUM for chunk in chunks)
        count["small"] += sum(len(chunk) < 100 for chunk in chunks)
        count["lost"] += lost(code, places)
        count["letters"] += len("".join(code.split()))
        characters += len(code)
        written += sum(map(len, chunks))
    return {
        "functions that would fit": count["functions"],
        "of them cut": 100 * count["cut"] / count["functions"],
        "chunks": count["chunks"],
        "chunks that cut such a function": 100 * count["cutting"] / count["chunks"],
        "chunks above the maximum": 100 * count["above"] / count["chunks"],
        "chunks under 100 characters": 100 * count["small"] / count["chunks"],
        "text lost": 100 * count["lost"] / count["letters"],
        "characters written, times the file's": written / characters,
        "files failed": failed,
    }


def _inside(span: Span, whole: list[Span]) -> bool:
    before = bisect_right(whole, (span[0], sys.maxsize))
    return any(start <= span[0] and span[1] <= end for start, end in whole[max(before - 3, 0) : before])


def _between(borders: list[int], start: int, end: int) -> list[int]:
    return borders[bisect_right(borders, start) : bisect_left(borders, end)]


def measured(files: list[Path], turns: int) -> dict[str, dict[str, Any]]:
    """Quality from the first turn, the best time of all."""
    names = [str(file) for file in files]
    codes = [file.read_bytes().decode() for file in files]
    size = sum(file.stat().st_size for file in files)
    table: dict[str, dict[str, Any]] = {}
    best = dict.fromkeys(CONTENDERS, float("inf"))
    for turn in range(turns):
        for contender in CONTENDERS:
            answer = ask(contender, names, MAXIMUM, chunks=turn == 0)
            best[contender] = min(best[contender], answer["seconds"])
            if turn == 0:
                table[contender] = {"versions": answer["versions"], **judged(codes, answer["chunks"])}
    for contender, figures in table.items():
        figures["MB/s"] = size / best[contender] / 1e6
    return table


def main() -> None:
    """All contenders, and a table."""
    if not (PEERS / "chonkie").is_dir():
        sys.exit("The peers are not here: see the head of this program.")
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    files = stdlib()
    table = measured(files, turns)
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, one core, processor time",
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
        "maximum in characters": MAXIMUM,
        "turns": turns,
        "contenders": table,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    for figure in [key for key in table["cesello"] if key != "versions"]:
        print(f"{figure:<38}" + "".join(f"{row[figure]:>12.4g}" for row in table.values()))
    print(f"{'':<38}" + "".join(f"{name.split()[0]:>12}" for name in table))


if __name__ == "__main__":
    main()
