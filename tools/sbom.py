"""Write a bill of materials (CycloneDX): what this environment installed for cesello to run with.

    python tools/sbom.py dist/sbom.cdx.json

cyclonedx-py lists the whole environment and follows every extra of every package. What is left here is
the product: neither the tools of development nor an edge that only an extra nobody asked for would need.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def main(output: Path) -> None:
    """Write the bill of materials to ``output``."""
    bill = _only(_the_environment(), _needs())
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n")


def _the_environment() -> dict[str, Any]:
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    done = subprocess.run(
        [*command, f"--pyproject={PYPROJECT}", "--output-format=JSON", sys.executable],
        stdout=subprocess.PIPE,
        check=True,
    )
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill


def _needs() -> dict[str, set[str]]:
    """What every package that cesello runs with needs; cesello first."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    needs: dict[str, set[str]] = {}
    ahead = [("cesello", "", project["dependencies"])]
    followed: set[tuple[str, str]] = set()
    while ahead:
        name, extra, requirements = ahead.pop()
        followed.add((name, extra))
        for each in _that_apply(requirements, extra):
            other = canonicalize_name(each.name)
            needs.setdefault(name, set()).add(other)
            needs.setdefault(other, set())
            wanted = {(other, which) for which in ["", *each.extras]} - followed
            ahead += [(*one, requires(other) or []) for one in wanted]
    return needs


def _that_apply(requirements: Iterable[str], extra: str) -> list[Requirement]:
    parsed = [Requirement(text) for text in requirements]
    return [each for each in parsed if each.marker is None or each.marker.evaluate({"extra": extra})]


def _only(bill: dict[str, Any], needs: dict[str, set[str]]) -> dict[str, Any]:
    references: dict[str, str] = {
        canonicalize_name(each["name"]): each["bom-ref"] for each in bill["components"]
    }
    references["cesello"] = bill["metadata"]["component"]["bom-ref"]
    kept = {references[name] for name in needs} - {references["cesello"]}
    return bill | {
        "components": [each for each in bill["components"] if each["bom-ref"] in kept],
        "dependencies": [
            {"ref": references[name], "dependsOn": sorted(references[other] for other in others)}
            for name, others in sorted(needs.items())
        ],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
