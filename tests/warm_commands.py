"""``cesello`` and ``python`` for a shell, with the libraries loaded once: seconds a command become tenths.

A process loads the heavy libraries, and nothing else. For each command it makes a copy of itself, which has
the caller's folder, environment and streams, runs the command as the real one does, and ends with its status.
It is sent the signals that its caller is sent. What a command does when it is started cold is for the tests
that start it so.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.repository import ROOT

_PATIENCE = 10.0
_ASK = f"""#!{sys.executable} -SE
import array, json, os, signal, socket, sys
asked = json.dumps([{{name}}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({{address}})
    streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
    server.sendmsg([len(asked).to_bytes(8, "big")], streams)
    server.sendall(asked)
    command = int(server.recv(8, socket.MSG_WAITALL) or "0")  # its process; 0: the server has died
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: command and os.kill(command, number))
    status = server.recv(16)
sys.exit(int(status) if status else 139)  # without a status it was killed
"""


@contextmanager
def warm_commands(folder: Path) -> Iterator[Path]:
    """A folder with ``cesello`` and ``python``, to be the first of ``PATH``."""
    address = folder / "server"
    commands = folder / "commands"
    commands.mkdir(parents=True)
    for name in ("cesello", "python"):
        file = commands / name
        file.write_text(_ASK.format(name=repr(name), address=repr(str(address))))
        file.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()  # who asks before it has loaded everything waits
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm_commands", str(server.fileno())],
            cwd=ROOT, pass_fds=[server.fileno()], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    # It alone listens now: who asks when it has died is refused, and does not wait for ever.
    try:
        yield commands
    finally:
        process.kill()
        process.wait()


def _serve(server: socket.socket) -> None:
    _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    starter = os.getppid()
    server.settimeout(_PATIENCE)
    while os.getppid() == starter:  # who was killed cannot end this process
        try:
            asking, _ = server.accept()
        except TimeoutError:
            continue
        asking.setblocking(True)
        if os.fork() == 0:
            server.close()
            _answer(asking)
        asking.close()


def _load() -> None:
    """What most commands load, with the settings that they load it with."""
    from cesello.entrypoints.cli.main import COMMANDS, _set_environment

    before = dict(os.environ)
    _set_environment(debug=False)
    import chromadb
    import datasets
    import lightning.pytorch
    import peft
    import sentence_transformers
    import torch
    import transformers.modeling_utils

    for command in COMMANDS:
        import_module(f"cesello.entrypoints.cli.{command}")
    assert all((chromadb, datasets, lightning, peft, sentence_transformers, torch, transformers))
    os.environ.clear()
    os.environ.update(before)


def _answer(asking: socket.socket) -> None:
    """Runs the command that is asked for, and ends the process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        name, arguments, folder, environment = _asked(asking)
        asking.sendall(f"{os.getpid():8}".encode())
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        sys.stderr = os.fdopen(2, "w", buffering=1)
        status = _status(name, arguments)
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        asking.sendall(str(status).encode())
        os._exit(status)


def _asked(asking: socket.socket) -> tuple[str, list[str], str, dict[str, str]]:
    """The command, once the caller's streams are those of this process."""
    head, streams, _, _ = asking.recvmsg(8, socket.CMSG_LEN(3 * array.array("i").itemsize))
    theirs = array.array("i")
    theirs.frombytes(streams[0][2])
    for ours, its in enumerate(theirs):
        os.dup2(its, ours)
        os.close(its)
    left, text = int.from_bytes(head, "big"), b""
    while len(text) < left and (some := asking.recv(1 << 16)):
        text += some
    name, arguments, folder, environment = json.loads(text)
    return name, arguments, folder, environment


def _status(name: str, arguments: list[str]) -> int:
    """Of the command, as the process has it that runs nothing else."""
    try:
        if name == "cesello":
            from cesello.entrypoints.cli.main import main

            sys.argv = [name, *arguments]
            main()
        elif len(arguments) == 1 and not arguments[0].startswith("-"):
            sys.argv = arguments
            sys.path[0] = str(Path(arguments[0]).resolve().parent)
            runpy.run_path(arguments[0], run_name="__main__")
        else:
            code = subprocess.run([sys.executable, *arguments], check=False).returncode
            return code if code >= 0 else 128 - code
    except SystemExit as end:
        left: Any = end.code
        return left if isinstance(left, int) else int(left is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
