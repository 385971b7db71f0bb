"""Which files a person keeps out, by the rules of git."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

IGNORE_FILES = (".gitignore", ".ignore", ".cesello-ignore")

Rules = tuple["FolderRules", ...]
"""The outermost folder's first."""


@dataclass(frozen=True, slots=True)
class FolderRules:
    """What a folder's ignore files say of what is below it."""

    folder: str
    spec: GitIgnoreSpec


def rules_above(folder: str, project: str) -> Rules:
    """Those that hold in a folder by the folders above it.

    Up to the top of its git repository; where there is none up to ``project``, if that is above it.
    """
    above: list[str] = []
    at = os.path.dirname(folder)
    top = folder if os.path.exists(os.path.join(folder, ".git")) else ""
    while not top and at != os.path.dirname(at):
        above.append(at)
        top = at if os.path.exists(os.path.join(at, ".git")) else ""
        at = os.path.dirname(at)
    rules: Rules = ()
    if not top:
        above = [one for one in above if os.path.join(one, "").startswith(os.path.join(project, ""))]
    elif own := _spec([os.path.join(top, ".git", "info", "exclude")]):
        rules = (FolderRules(top, own),)
    for outer in reversed(above):
        rules = rules_in(outer, rules)
    return rules


def rules_in(folder: str, above: Rules) -> Rules:
    """Those that hold in a folder, its own included."""
    own = _spec([os.path.join(folder, name) for name in IGNORE_FILES])
    return (*above, FolderRules(folder, own)) if own else above


def rules_of_named(folder: str, project: str) -> Rules:
    """Those that hold in a folder that a person has named, without what keeps the folder itself out."""
    above = rules_above(folder, project)
    outer = tuple(one for one in above if one.folder != folder)  # .git/info/exclude may be the folder's own
    if is_ignored(folder, outer, folder=True):
        above = tuple(_without(one, os.path.relpath(folder, one.folder) + "/") for one in above)
    return rules_in(folder, above)


def _without(rules: FolderRules, folder: str) -> FolderRules:
    patterns = [one for one in rules.spec.patterns if not (one.include and one.match_file(folder))]
    return FolderRules(rules.folder, GitIgnoreSpec(patterns))


def is_ignored(path: str, rules: Rules, *, folder: bool) -> bool:
    """Whether a file or folder is kept out. The innermost rule that says anything of it decides."""
    for one in reversed(rules):
        said = one.spec.check_file(os.path.relpath(path, one.folder) + "/" * folder).include
        if said is not None:
            return said
    return False


def _spec(files: Sequence[str]) -> GitIgnoreSpec | None:
    lines: list[str] = []
    for file in files:
        try:
            lines += Path(file).read_text("utf-8", "surrogateescape").splitlines()
        except OSError:
            continue
    try:
        return GitIgnoreSpec.from_lines(lines) if lines else None
    except ValueError:  # git passes over a pattern that it does not understand, and so do we
        return GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
