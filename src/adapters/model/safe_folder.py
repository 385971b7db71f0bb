"""What may lie in a folder of a model or of LoRA weights that is named by its path.

Such a folder may be a stranger's. It is looked at whole before a library opens any file of it, also files
that today's libraries would not open: which ones they do open changes with their versions.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from .folder_errors import foreign, lacking, leads_out, pickled, pickled_inside, unreadable
from .model_json import PICKLED, check_config, check_weights_name, read_json
from .safetensors_headers import StoredTensor, read_header, read_headers

_DATA = frozenset(
    (
        # what is read
        ".json", ".safetensors", ".jinja", ".txt", ".model", ".tiktoken", ".spm",
        # what else models are given away with, and cannot run
        ".md", ".rst", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".cff", ".csv", ".tsv",
        ".jsonl", ".yaml", ".yml", ".gguf", ".onnx", ".onnx_data",
    )
)  # fmt: skip
_NAMES = re.compile(
    r"(licen[cs]e|notice|copying|authors|readme|(acceptable_)?use_policy)(-[\w.-]+)?"
    r"|\.gitattributes|\.gitignore|\.ds_store|tokenizer\.model\.v\d+\w*",
    re.IGNORECASE,
)
"""Names whose endings do not tell."""

_OF_DOWNLOADS = (".metadata", ".lock", ".incomplete", ".tag")
"""What `hf download --local-dir` keeps in a folder ``.cache``."""

_MOST = 10_000
"""Files and folders. A model has some hundred; with more, the wrong folder was named."""


def check_folder(folder: Path) -> dict[str, StoredTensor]:
    """The tensors of the folder's safetensors files, once nothing in it can run or mislead.

    Raises:
        ModelError: M002 unreadable; M014 a file of weights is missing; M040, M041 pickles; M042 a
            configuration asks for code; M043 files that no model needs; M044 something leads out of the
            folder; M045, M046 safetensors files are not sound.
    """
    try:
        paths = list(_paths(folder))
        for path in paths:
            _check_kind(path, folder)
        for path in sorted(folder.glob("*config.json")):
            check_config(path)
        for path in paths:
            _check_name(path, path.relative_to(folder).parts)
        return _tensors(folder)
    except OSError as cause:
        raise unreadable(folder, cause) from cause


def _paths(folder: Path) -> Iterator[Path]:
    """Everything in the folder, links not followed: its own files, then those of the folders in it."""
    waiting, count = [folder], 0
    while waiting:
        entries = sorted(os.scandir(waiting.pop(0)), key=lambda entry: entry.name)
        count += len(entries)
        if count > _MOST:
            raise foreign(folder, f"more than {_MOST} files", "name the folder of the model alone")
        yield from (Path(entry.path) for entry in entries)
        waiting += [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]


def _check_kind(path: Path, folder: Path) -> None:
    """Opening a pipe or a device waits or acts; a link can show what is the user's alone."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        target = Path(os.path.realpath(path))
        if not any(target.is_relative_to(root) for root in _roots(folder)):
            raise leads_out(path, f"a link to {target}")
    elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise foreign(path, "neither a file nor a folder", "remove it, it is not needed")


def _roots(folder: Path) -> Iterator[Path]:
    """Where a link may lead: in the hub's cache, snapshots/COMMIT is full of links into blobs."""
    real = Path(os.path.realpath(folder))
    yield real
    repository = real.parent.parent
    if real.parent.name == "snapshots" and repository.name.startswith("models--"):
        yield repository / "blobs"


def _check_name(path: Path, parts: tuple[str, ...]) -> None:
    """``parts`` are the names below the folder."""
    if path.is_dir():
        return
    suffix = path.suffix.lower()
    got = f"the ending {suffix}" if suffix else "a name without an ending"
    if suffix in PICKLED:
        raise pickled_inside(path, got, parts[0]) if len(parts) > 1 else pickled(path, got)
    known = suffix in _DATA or _NAMES.fullmatch(path.name)
    if not known and not (parts[0] == ".cache" and suffix in _OF_DOWNLOADS):
        it = "it" if len(parts) == 1 else f"the folder {parts[0]}"
        raise foreign(path, got, f"remove {it}, it is not needed")


def _tensors(folder: Path) -> dict[str, StoredTensor]:
    """Of each index together, so that no two of its files supply the same, and of every other file."""
    tensors: dict[str, StoredTensor] = {}
    indexed: set[str] = set()
    for index in sorted(folder.glob("*.index.json")):
        shards = _shards(index)
        indexed.update(shards)
        tensors |= read_headers(folder / shard for shard in shards)
    for path in sorted(folder.glob("*.safetensors")):
        if path.name not in indexed:
            tensors |= read_header(path)
    return tensors


def _shards(index: Path) -> list[str]:
    """The files of weights that an index names."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise unreadable(index, ValueError("no weight_map"))
    shards: set[str] = set()
    for name, _ in groupby(weight_map.values()):
        check_weights_name(index, name)
        shards.add(name)
    for shard in sorted(shards):
        if not (index.parent / shard).exists():
            raise lacking(str(index), f"no file {shard}")
    return sorted(shards)
