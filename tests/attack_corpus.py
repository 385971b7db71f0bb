"""The attacks of ``tests/attacks``: each a program that is wrong for its task and tries something else.

The first line of a file says what it tries, the second for which task and against which kinds of tests.
What an attack needs to know of the machine stands before it, in capitals: see ``attack_stage``.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "attacks"
HEADER = re.compile(r"# task: (?P<task>\w+); tests: (?P<kinds>[\w, ]+)")
KINDS = ("code", "cases", "exchanges")
TOLD = {"secret", "confess"}
"""Tasks whose answer a program must have got from somewhere; as scripts they print it."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One file.

    Attributes:
        name: as in ``host/read_canary``.
        says: what it tries.
    """

    name: str
    says: str
    task: str
    kinds: tuple[str, ...]
    text: str

    @property
    def family(self) -> str:
        return self.name.split("/")[0]

    def program(self, kind: str, preamble: str) -> str:
        """What is given to the sandbox."""
        printed = (
            f"print({self.task}())\n" if kind == "exchanges" and f"def {self.task}(" in self.text else ""
        )
        return preamble + self.text + (printed if self.task in TOLD else "")


def attacks(*families: str) -> list[Attack]:
    """Those of the corpus, or of these families, by name."""
    paths = sorted(FOLDER.rglob("*.py"))
    return [read(path) for path in paths if not families or path.parent.name in families]


def read(path: Path) -> Attack:
    """The attack of a file.

    Raises:
        ValueError: when its two first lines do not say what it is.
    """
    text = path.read_text()
    header = HEADER.fullmatch(([*text.splitlines(), "", ""])[1])
    says = ast.get_docstring(ast.parse(text))
    if header is None or not says or "\n" in says:
        raise ValueError(f"{path}: the first line says what it tries, the second `# task: ...; tests: ...`")
    kinds = tuple(header["kinds"].split(", "))
    if not set(kinds) <= set(KINDS):
        raise ValueError(f"{path}: tests are {KINDS}")
    name = path.relative_to(FOLDER).with_suffix("").as_posix()
    return Attack(name, says, header["task"], kinds, text)
