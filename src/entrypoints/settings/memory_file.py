"""Finding and reading ``cesello.yaml``, which says how a project's memory is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...domain.errors import InvalidRecipe, Place, UsageError
from ...domain.server_address import is_here
from .document import Document
from .environment import expand_environment
from .loader import read_document, read_overrides
from .memory_settings import MemoryFile, MemorySettings
from .overrides import apply_override
from .problems import in_order, printable, quoted
from .validation import validate

NAME = "cesello.yaml"
_FOLDER = ".cesello"


@dataclass(frozen=True, slots=True)
class LoadedMemory:
    """Valid settings and the folder that they are for.

    Attributes:
        root: that all paths of the memory are relative to, absolute.
    """

    settings: MemorySettings
    root: Path

    @property
    def uses_transformers(self) -> bool:
        """Whether to remember and to find takes that library, which onnxruntime does without."""
        its = self.settings
        return its.embedder.engine == "sentence_transformers" or its.reranker.engine == "cross_encoder"

    @property
    def folder(self) -> Path:
        """Where the memory is kept."""
        return self.root / self.settings.folder


def load_memory(file: Path | None, overrides: Sequence[str] = (), at: Path | None = None) -> LoadedMemory:
    """The settings of a project's memory.

    Args:
        file: None looks for ``cesello.yaml``, or for a memory, from the working folder upwards.
        overrides: ``memory.key=value`` each. A ``memory.folder`` among them may be led elsewhere by a link.
        at: in place of the working folder.

    Raises:
        InvalidRecipe: all that is wrong.
    """
    here = (at or Path.cwd()).absolute()
    if file is None:
        root = _project(here)
        found = root / NAME
        file = found if found.is_file() else None
        found_here = True
    else:
        root = file.absolute().parent
        found_here = False
    edits, problems = read_overrides(overrides)
    document = _document(file)
    for edit in edits:
        apply_override(edit, document)
    expand_environment(document, os.environ)
    problems += _strange_sections(document)
    settings = validate(document, MemoryFile)
    problems += document.problems
    if settings is not None and found_here:
        problems += _sent_away(document, settings.memory)
    if settings is not None and not _is_inside(settings.memory.folder):
        problems.append(_outside(document, settings.memory.folder))
    elif settings is not None and found_here and ("memory", "folder") not in {edit.parts for edit in edits}:
        problems += _led_outside(document, root, settings.memory.folder)
    if problems or settings is None:
        raise InvalidRecipe(in_order(problems))
    return LoadedMemory(settings.memory, root)


def _sent_away(document: Document, settings: MemorySettings) -> Iterator[UsageError]:
    """Servers elsewhere that a file names which nobody has named: it may have come with a repository."""
    places = (
        (("memory", "server"), settings.server),
        (("memory", "embedder", "url"), settings.embedder.url),
        (("memory", "answer", "url"), settings.answer.url),
    )
    for keys, address in places:
        origin = document.value_place(keys)
        if address is not None and isinstance(origin, Place) and not is_here(address):
            yield UsageError(
                "C104",
                "settings that were found here would send your code to another machine",
                where=origin,
                fix=f"if you want that, name the file: --config {NAME}",
            )


def _is_inside(folder: str) -> bool:
    whole = os.path.normpath(folder)
    return not os.path.isabs(whole) and whole.split(os.sep)[0] not in ("..", os.curdir)


def _outside(document: Document, folder: str) -> UsageError:
    return UsageError(
        "C011",
        "a memory is kept under the folder of its settings",
        where=document.value_place(("memory", "folder")),
        got=quoted(folder),
        expected="a relative path without ..",
        fix="leave memory.folder out, or put cesello.yaml into a folder above it",
    )


def _led_outside(document: Document, root: Path, folder: str) -> Iterator[UsageError]:
    """A link on the way to a memory that nobody has named, which may have come with a repository."""
    real = os.path.realpath(root / folder)
    if not Path(real).is_relative_to(os.path.realpath(root)):
        yield UsageError(
            "C011",
            "a link leads the memory out of the folder of its settings",
            where=document.value_place(("memory", "folder")) or printable(str(root / folder)),
            got=printable(real),
            fix=f"if the link is yours, say so: --set memory.folder={printable(folder)}; else delete it",
        )


def _document(file: Path | None) -> Document:
    if file is None:
        return Document(value={})
    try:
        return read_document(file)
    except UsageError as problem:
        raise InvalidRecipe([problem]) from problem


def _strange_sections(document: Document) -> list[UsageError]:
    """Its first level is not that of a recipe."""
    strange = [key for key in document.value if key != "memory"]
    for key in strange:
        document.report(
            (key,),
            UsageError(
                "C001",
                f"unknown key {quoted(str(key))}",
                where=document.key_place((key,)),
                fix="a memory's file has one section, memory; a recipe is for `cesello train`",
            ),
        )
        del document.value[key]
    return []


def memory_of(root: Path, folder: str) -> Path:
    """The memory of a recipe's project: below its root, or below the nearest folder above that has it.

    The search ends at the top of a git repository, and at the user's home.
    """
    for at in (root, *root.parents):
        if (at / folder).is_dir():
            return at / folder
        if (at / ".git").exists() or at == Path.home():
            break
    return root / folder


def _project(here: Path) -> Path:
    """The nearest folder that has a memory or says how it is kept; else the working folder.

    The search ends at the top of a git repository, and at the user's home.
    """
    for folder in (here, *here.parents):
        if (folder / NAME).is_file() or (folder / _FOLDER).is_dir():
            return folder
        if (folder / ".git").exists() or folder == Path.home():
            break
    return here
