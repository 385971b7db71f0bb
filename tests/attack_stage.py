"""What stands around a sandbox so that whatever gets out of it is seen, from outside.

A secret in files, environment, arguments, memory and an open descriptor; listeners; a folder anybody may
write to; a process that can be killed, slowed and read. Everything that should not change is looked at
before and after.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VARIABLE = "CESELLO_CANARY"
OLD_CALLS = {
    "x86_64": {
        "fork": 57, "clone": 56, "openat": 257, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129,
        "memfd_create": 319, "execveat": 322, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "add_key": 248, "keyctl": 250, "fanotify_init": 300, "ioprio_set": 251, "reboot": 169,
        "init_module": 175, "delete_module": 176, "swapoff": 168, "acct": 163, "sched_setattr": 314,
    },
    "aarch64": {
        "clone": 220, "openat": 56, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138,
        "memfd_create": 279, "execveat": 281, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
        "add_key": 217, "keyctl": 219, "fanotify_init": 262, "ioprio_set": 30, "reboot": 142,
        "init_module": 105, "delete_module": 106, "swapoff": 225, "acct": 89, "sched_setattr": 274,
    },
}  # fmt: skip
CALLS = {
    "clone3": 435, "openat2": 437, "pidfd_getfd": 438, "io_uring_setup": 425, "memfd_secret": 447,
    "fsopen": 430, "open_tree": 428,
}  # fmt: skip
SETTINGS = [Path("/proc/sys/kernel", name) for name in ("core_pattern", "hostname", "modprobe")]
DECOY = """
import sys, time
kept = [bytearray(sys.argv[1].encode()) for _ in range(64)]
print(flush=True)
time.sleep(9999)
"""


class Stage:
    """The surroundings; ``breaches`` says what got out since it was last asked."""

    def __init__(self) -> None:
        self.token = "token" + secrets.token_hex(8)
        self.secret = "CANARY-" + secrets.token_hex(16)
        self.confession = "CONFESSED-" + self.token
        self.folder = Path(tempfile.mkdtemp(prefix="cesello-stage-"))
        self._files()
        self._listeners()
        os.environ[VARIABLE] = self.secret
        self._decoy = self._start_decoy()
        # Whoever is orphaned below this process becomes its child, and is seen.
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
        self._before = self._state()

    def _files(self) -> None:
        self.folder.chmod(0o755)
        self.canary, self.public, self.drop = (self.folder / name for name in ("canary", "public", "drop"))
        for path, mode in ((self.canary, 0o600), (self.public, 0o644)):
            path.write_text(self.secret)
            path.chmod(mode)
        self.drop.mkdir()
        self.drop.chmod(0o777)
        self._open = os.open(self.canary, os.O_RDONLY)
        self._open_folder = os.open(self.folder, os.O_RDONLY)
        for number in (self._open, self._open_folder):
            os.set_inheritable(number, True)

    def _listeners(self) -> None:
        stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
        abstract = "\0" + self.token
        self._sockets = []
        for family, kind, address in (
            (socket.AF_INET, stream, ("127.0.0.1", 0)),
            (socket.AF_INET, datagram, ("127.0.0.1", 0)),
            (socket.AF_UNIX, stream, str(self.folder / "stream")),
            (socket.AF_UNIX, datagram, str(self.folder / "datagram")),
            (socket.AF_UNIX, stream, abstract),
        ):
            made = socket.socket(family, kind)
            made.bind(address)
            if kind is stream:
                made.listen()
            if isinstance(address, str) and address != abstract:
                os.chmod(address, 0o777)
            self._sockets.append(made)

    def _start_decoy(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", "-c", DECOY, self.secret, self.token]
        nothing = subprocess.DEVNULL
        started = subprocess.Popen(
            command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, start_new_session=True
        )
        assert started.stdout is not None
        started.stdout.read(1)
        return started

    def preamble(self) -> str:
        """What an attack is told of its surroundings, and never the secret itself."""
        told: dict[str, Any] = {
            "CANARY": str(self.canary),
            "PUBLIC": str(self.public),
            "DROP": str(self.drop),
            "TOKEN": self.token,
            "CONFESSION": self.confession,
            "TCP": self._sockets[0].getsockname()[1],
            "UDP": self._sockets[1].getsockname()[1],
            "UNIX": str(self.folder / "stream"),
            "DGRAM": str(self.folder / "datagram"),
            "ABSTRACT": "\0" + self.token,
            "DECOY": self._decoy.pid,
            "HARNESS": os.getpid(),
            "KEY": int(self.token[-7:], 16),
            "NR": CALLS | OLD_CALLS.get(platform.machine(), {}),
        }
        return "".join(f"{name} = {value!r}\n" for name, value in told.items())

    def breaches(self) -> list[str]:
        """What got out, in words; what was changed is put right again."""
        found = [*self._callers(), *self._left(), *self._changed()]
        if self._decoy.poll() is not None:
            found.append(f"a process of ours was ended by signal {-self._decoy.returncode}")
            self._decoy = self._start_decoy()
            self._before = self._state()
        return found

    def _callers(self) -> Iterator[str]:
        for made in self._sockets:
            calls = 0
            while select.select([made], [], [], 0)[0]:
                calls += 1
                if made.type == socket.SOCK_STREAM:
                    made.accept()[0].close()
                else:
                    made.recv(99)
            if calls:
                yield f"somebody called {made.getsockname()!r}"

    def _left(self) -> Iterator[str]:
        """Whatever bears our token in its name."""
        home, library = os.path.expanduser("~"), os.path.dirname(os.__file__)
        folders = {"/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/", "/etc", "/run", home, library}
        folders |= {str(self.drop), os.getcwd(), sys.prefix, *filter(os.path.isdir, sys.path)}
        for folder in sorted(folders):
            try:
                names = [name for name in os.listdir(folder) if self.token in name]
            except OSError:
                continue
            for name in names:
                path = Path(folder, name)
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                yield f"{path} was made"
        key = str(int(self.token[-7:], 16))
        for table, option in (("shm", "-M"), ("sem", "-S"), ("msg", "-Q")):
            path = Path("/proc/sysvipc", table)
            rows = path.read_text().splitlines() if path.exists() else []
            if any(row.split()[0] == key for row in rows):
                subprocess.run(["ipcrm", option, key], check=True)
                yield f"System V {table} was left"

    def _changed(self) -> Iterator[str]:
        after = self._state()
        for what, value in after.items():
            if value != self._before[what] and self._decoy.poll() is None:
                yield f"{what} was {self._before[what]!r} and is {value!r}"
        if Path(self.public).exists() and self.public.read_text() == self.secret:
            self._before = after
        else:
            self._files_again()

    def _files_again(self) -> None:
        for path in (self.public, self.canary):
            path.unlink(missing_ok=True)
        for number in (self._open, self._open_folder):
            os.close(number)
        self.drop.chmod(0o777)
        shutil.rmtree(self.drop)
        self._files()
        self._before = self._state()

    def _state(self) -> dict[str, object]:
        """Everything that must stay as it is."""
        state: dict[str, object] = {}
        for path in (self.canary, self.public, self.drop):
            try:
                seen = path.stat()
                state[str(path)] = (seen.st_mode, seen.st_uid, seen.st_gid, seen.st_size, seen.st_mtime_ns)
            except OSError as cause:
                state[str(path)] = cause.errno
        for setting in filter(Path.exists, SETTINGS):
            state[str(setting)] = setting.read_text()
        return state | self._decoy_state()

    def _decoy_state(self) -> dict[str, object]:
        pid = self._decoy.pid
        try:
            kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU)
            return {
                "decoy's niceness": os.getpriority(os.PRIO_PROCESS, pid),
                "decoy's cores": os.sched_getaffinity(pid),
                "decoy's scheduler": os.sched_getscheduler(pid),
                "decoy's limits": [resource.prlimit(pid, kind) for kind in kinds],
                "decoy's chance to be ended": Path(f"/proc/{pid}/oom_score_adj").read_text(),
            }
        except OSError:
            return {}

    def descendants(self) -> set[int]:
        """The processes below this one, the decoy left out."""
        parents: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (parent := _parent(entry)) is not None:
                parents.setdefault(parent, []).append(int(entry))
        found, rest = set[int](), [os.getpid()]
        while rest:
            children = parents.get(rest.pop(), [])
            found.update(children)
            rest += children
        return found - {self._decoy.pid}

    def close(self) -> None:
        self._decoy.kill()
        self._decoy.communicate()
        for made in self._sockets:
            made.close()
        for number in (self._open, self._open_folder):
            os.close(number)
        os.environ.pop(VARIABLE, None)
        shutil.rmtree(self.folder, ignore_errors=True)


def _parent(process: str) -> int | None:
    """The parent of a process; None when it is no more, or only waits to be reaped."""
    try:
        fields = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[1])


def left_over(stage: Stage, allowed: int, patience: float = 3.0) -> set[int]:
    """The processes below this one when, at the end of patience, they are more than allowed."""
    until = time.monotonic() + patience
    while len(found := stage.descendants()) > allowed:
        if time.monotonic() > until:
            return found
        time.sleep(0.02)
    return set()
