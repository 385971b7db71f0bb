"""What all sections of a recipe have in common."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Values are taken as they are (no text becomes a number), unknown keys are refused, nothing changes."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Text: TypeAlias = Annotated[str, Field(min_length=1)]
DType: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
OWN_CODE = rf"^{_NAME}(\.{_NAME})*:{_NAME}$"
"""module:name, the module being a file or a package under root."""

SECRET = r"^CESELLO_[A-Z0-9_]+$"
"""A variable that was meant to be sent to a server that settings name: they may be a stranger's."""
