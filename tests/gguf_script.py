"""A script that is called as llama.cpp's converter is: for tests, which download nothing."""

from __future__ import annotations

from pathlib import Path

_SCRIPT = """#!/usr/bin/env python3
import argparse
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("model", type=Path)
parser.add_argument("--outfile", type=Path, required=True)
parser.add_argument("--outtype", choices=["bf16", "f16", "f32"], required=True)
given = parser.parse_args()
if (given.model / "slow").exists():
    time.sleep(60)
if not (given.model / "model.safetensors").exists():
    given.outfile.write_bytes(b"half")
    raise SystemExit("ERROR: Model FakeForCausalLM is not supported")
given.outfile.write_bytes(b"GGUF" + (given.model / "model.safetensors").read_bytes())
"""


def write_gguf_script(path: Path) -> Path:
    """Puts the script there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_SCRIPT)
    path.chmod(0o755)
    return path
