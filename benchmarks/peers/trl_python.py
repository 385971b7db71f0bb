"""Programs that need TRL: it is a peer to be measured, no dependency, and has a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "build" / "peers"


def ask_trl(program: str, question: Any) -> Any:
    """The JSON answer of a program beside this one, run with TRL and otherwise the same packages."""
    if not (PEERS / "trl").is_dir():
        sys.exit("TRL is not here: make peers")
    environment = {**os.environ, "PYTHONPATH": f"{PEERS}{os.pathsep}{ROOT}", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(program))],
        input=json.dumps(question),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        check=True,
    )
    return json.loads(done.stdout)
