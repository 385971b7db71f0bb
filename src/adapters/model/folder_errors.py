"""The errors for a folder of a model or of LoRA weights that is not to be trusted, or not whole."""

from __future__ import annotations

from pathlib import Path

from ...domain.errors import ModelError


def unreadable(path: Path, cause: Exception) -> ModelError:
    """A file that is not what its name says."""
    return ModelError(
        "M002",
        "a model's files cannot be read",
        where=str(path),
        got=(str(cause).splitlines() or [type(cause).__name__])[0][:200],
        expected="files that can be opened, and JSON objects in configurations",
        fix="bring the file again from where the model comes from",
    )


def lacking(where: str, got: str) -> ModelError:
    """Weights that are not there."""
    return ModelError(
        "M014",
        "a model's files lack some of its weights",
        where=where,
        got=got,
        expected="all weights of its architecture",
        fix="bring the missing files, or take the model from where it is whole",
    )


def pickled(path: Path, got: str) -> ModelError:
    """Weights that a library would unpickle."""
    return ModelError(
        "M040",
        "a model's folder holds pickles, whose reading can run code",
        where=str(path),
        got=got,
        expected="safetensors",
        fix="remove it if the same weights lie beside it as safetensors; else take a model that has them so",
    )


def pickled_inside(path: Path, got: str, inner: str) -> ModelError:
    """Pickles in a folder that no model needs."""
    return ModelError(
        "M041",
        "a folder inside a model's folder holds pickles, whose reading can run code",
        where=str(path),
        got=got,
        expected="safetensors",
        fix=f"remove the folder {inner}, it is not needed",
    )


def asks_for_code(where: str, got: str, fix: str) -> ModelError:
    """A model that brings code of its own."""
    return ModelError(
        "M042",
        "a model asks for code of its own, which cesello does not run",
        where=where,
        got=got,
        expected="an architecture that transformers has built in",
        fix=fix,
    )


def foreign(path: Path, got: str, fix: str) -> ModelError:
    """Something that is no file of a model."""
    return ModelError(
        "M043",
        "a model's folder holds what no model needs",
        where=str(path),
        got=got,
        expected="safetensors, JSON, a tokenizer's files, texts and pictures",
        fix=fix,
    )


def leads_out(path: Path, got: str) -> ModelError:
    """A way from the folder to files that were not named."""
    return ModelError(
        "M044",
        "a model's folder leads out of itself",
        where=str(path),
        got=got,
        expected="files inside the folder",
        fix="if you trust that file, put a copy of it into the folder and name the copy",
    )
