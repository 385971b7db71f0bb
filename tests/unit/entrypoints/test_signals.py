"""The first signal asks, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
