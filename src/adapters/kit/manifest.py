"""The manifest of an item, as JSON that vouches for itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from ...domain.kit import is_safe_path
from ...domain.kit_state import KitFile, KitManifest

FILENAME = "MANIFEST.json"


def encode(manifest: KitManifest) -> str:
    """JSON with the sha256 of its own content."""
    content = asdict(manifest)
    return json.dumps({**content, "checksum": _checksum(content)}, indent=1) + "\n"


def decode(text: str) -> KitManifest:
    """The manifest; raises ValueError when the text is not one, or not as it was written."""
    content = json.loads(text)
    if not isinstance(content, dict) or content.pop("checksum", None) != _checksum(content):
        raise ValueError("the checksum does not match")
    try:
        files = tuple(KitFile(**file) for file in content.pop("files"))
        manifest = KitManifest(files=files, **content)
    except (TypeError, KeyError) as cause:
        raise ValueError(str(cause)) from cause
    if not all(is_safe_path(file.path) for file in files):
        raise ValueError("a path leaves the folder")
    return manifest


def _checksum(content: Mapping[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
