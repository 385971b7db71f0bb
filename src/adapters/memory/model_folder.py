"""A model's folder: where it is, what its weights and tokenizer are, and why it cannot be used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError

from ...domain.errors import ModelError
from ...domain.ports.hub import ModelFiles

_READ = ("*.json", "*.txt", "*.model", "*.safetensors")
_NOT_READ = ("onnx/*", "openvino/*")

_WORDS = ("vocab.*", "merges.txt", "added_tokens.json", "*.model")
"""What a tokenizer is made of where there is no ``tokenizer.json``."""
_READING = ("tokenizer_config.json", "special_tokens_map.json")
_SETTINGS = ("config.json", "*/config.json", "modules.json", "sentence_bert_config.json")
"""What a model and its parts compute; ``1_Pooling`` is such a part."""


def model_folder(name: str, files: ModelFiles) -> Path:
    """The folder of a model; what the hub has and cesello reads is fetched where it is not here.

    Raises:
        OSError, ValueError: not here and not to be had; see ``explained``.
    """
    if Path(name).is_dir():
        return Path(name)
    place = files.arguments(name)
    return Path(snapshot_download(name, **place, allow_patterns=list(_READ), ignore_patterns=list(_NOT_READ)))


def folder_file(name: str, files: ModelFiles, path: str) -> Path | None:
    """One file more of a model's folder, if there is one."""
    if Path(name).is_dir():
        return Path(name, path) if Path(name, path).is_file() else None
    found = Path(snapshot_download(name, **files.arguments(name), allow_patterns=[path]), path)
    return found if found.is_file() else None


def folder_json(folder: Path, path: str) -> Any:
    """What a file of JSON holds, None where there is no such file."""
    file = folder / path
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def folder_print(folder: Path, weights: str | None = None) -> str:
    """What stands in a fingerprint for the weights, the tokenizer and the configuration of a folder.

    It is taken of the files: weights that a file lacks are drawn anew whenever the model is loaded.

    Args:
        weights: what stands for them, where they are not in the folder's safetensors.
    """
    if weights is None:
        weights = f"weights={files_print(_among(folder, ['**/*.safetensors']), folder)[:16]}"
    words = ("tokenizer.json",) if (folder / "tokenizer.json").is_file() else _WORDS
    tokenizer = files_print(_among(folder, [*words, *_READING]), folder)
    settings = files_print(_among(folder, _SETTINGS), folder)
    return f"{weights} tokenizer={tokenizer[:8]} config={settings[:8]}"


def read_print(folder: Path) -> str:
    """What stands for all that a model is read from."""
    return files_print(_among(folder, [f"**/{pattern}" for pattern in _READ]), folder)


def _among(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Files of a folder that fit a pattern, but for those that are not read."""
    apart = {Path(pattern).parts[0] for pattern in _NOT_READ}
    files = {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    return sorted(file for file in files if file.relative_to(folder).parts[0] not in apart)


def files_print(paths: Iterable[Path], folder: Path) -> str:
    """A sha256 of files and their names inside the folder."""
    whole = hashlib.sha256()
    for path in paths:
        state = path.stat()
        digest = _digest(path.absolute(), state.st_size, state.st_mtime_ns, state.st_ino)
        whole.update(f"{path.relative_to(folder).as_posix()} {digest}\n".encode())
    return whole.hexdigest()


@lru_cache(maxsize=1024)
def _digest(path: Path, *state: int) -> str:
    """Read once, while the file is the same by its state: weights may be large."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(
    name: str,
    of: str,
    *,
    dimension: int,
    pooling: str,
    tokens: int | str,
    precision: str,
    prefixes: Sequence[str],
) -> str:
    """A fingerprint: all that the vectors of a model depend on, on one line.

    Args:
        name: the model's.
        of: what stands for its weights, its tokenizer and its configuration.
        dimension: of a vector.
        pooling: how the vectors of tokens become one.
        tokens: that are read of a text.
        precision: of the numbers that are computed with.
        prefixes: before a question, and before what is to be found.
    """
    query, document = (json.dumps(prefix) for prefix in prefixes)
    return (
        f"{name} {of} dimension={dimension} pooling={pooling} tokens={tokens} length=1"
        f" metric=cosine precision={precision} query={query} document={document}"
    )


def encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which names of files may bring and no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Says in cesello's words why a model cannot be loaded."""
    try:
        yield
    except (OSError, HFValidationError) as cause:  # a path where nothing is, for one
        raise ModelError(
            "M001",
            f'the model "{name}" is not here and cannot be fetched',
            got=first_line(cause),
            fix="run `cesello kit install` for the offline models, correct the name, or reach the hub",
        ) from cause
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as cause:
        raise ModelError(
            "M002",
            "a model cannot be loaded",
            where=name,
            got=first_line(cause),
            expected="config.json and complete safetensors of an architecture that transformers knows",
            fix="check the model's files, or take another model",
        ) from cause


def first_line(cause: Exception) -> str:
    """What an exception says, on one line of at most 200 characters."""
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
