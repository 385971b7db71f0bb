"""The first signal asks, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from cesello.domain.errors import Interrupted
from cesello.entrypoints.signals import SignalStop, listening

NUMBERS = [signal.SIGINT, signal.SIGTERM]


def test_nobody_asked() -> None:
    stop = SignalStop()
    stop.check()
    assert stop.requested is None


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_remembered_until_a_safe_point(number: signal.Signals) -> None:
    with listening(SignalStop()) as stop:
        os.kill(os.getpid(), number)
        assert stop.requested == number
        with pytest.raises(Interrupted) as caught:
            stop.check()
    assert (caught.value.status, caught.value.signal_number) == (128 + number, number)
    assert number.name in caught.value.what


@pytest.mark.parametrize("number", NUMBERS)
def test_signals_go_where_they_went_before_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop, during = SignalStop(), []
    with suppress(ValueError), listening(stop):
        during.append(signal.getsignal(number))
        raise ValueError("inside")
    assert during == [stop]
    assert signal.getsignal(number) is before


BUSY = """
import os, signal, sys
from cesello.entrypoints.signals import SignalStop, listening
with listening(SignalStop()):
    try:
        for number in map(int, sys.argv[1:]):
            os.kill(os.getpid(), number)
            print("still here", flush=True)
    finally:
        print("cleaned up", flush=True)
"""


@pytest.mark.parametrize("first", NUMBERS)
@pytest.mark.parametrize("second", NUMBERS)
def test_the_second_signal_ends_the_process_at_once(first: signal.Signals, second: signal.Signals) -> None:
    command = [sys.executable, "-c", BUSY, str(int(first)), str(int(second))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (128 + second, "still here\n", "")


STUCK = """
import os, signal, sys, time
from cesello.entrypoints.signals import SignalStop, listening
with listening(SignalStop(grace=0.2)):
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(float(sys.argv[2]))
    print("in time", flush=True)
time.sleep(0.5)
print("long after", flush=True)
"""


@pytest.mark.parametrize("number", NUMBERS)
def test_work_that_asks_nobody_ends_when_the_time_is_up(number: signal.Signals) -> None:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", STUCK, str(int(number)), "20"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")
    assert time.perf_counter() - began < 10


def test_work_that_ends_in_time_is_let_alone() -> None:
    command = [sys.executable, "-c", STUCK, str(int(signal.SIGTERM)), "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "in time\nlong after\n", "")


def test_where_the_work_is_shared_it_is_acted_on_when_all_know() -> None:
    with listening(SignalStop(shared=True)) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert (stop.heard, stop.requested) == (signal.SIGTERM, None)
        stop.check()
        stop.agree(signal.SIGTERM)
        with pytest.raises(Interrupted) as caught:
            stop.check()
    assert caught.value.signal_number == signal.SIGTERM


def test_it_stops_for_what_another_process_heard() -> None:
    stop = SignalStop(shared=True)
    stop.agree(signal.SIGINT)
    assert (stop.heard, stop.requested) == (None, signal.SIGINT)
    with pytest.raises(Interrupted):
        stop.check()


ECHOED = """
import os, signal, sys, time
from cesello.entrypoints import signals
signals._ECHO = float(sys.argv[1])
with signals.listening(signals.SignalStop(shared=True)) as stop:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    print("still here", stop.heard, flush=True)
"""


@pytest.mark.parametrize(("echo", "status", "said"), [("5", 0, "still here 2\n"), ("0.05", 143, "")])
def test_a_launcher_that_passes_a_signal_on_is_no_second_signal(echo: str, status: int, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", ECHOED, echo], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (status, said, "")


def test_nothing_waits_where_nobody_asked() -> None:
    with listening(SignalStop()):
        pass
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
