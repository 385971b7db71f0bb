"""Ignores every signal that can be ignored, then spins."""
# task: middle; tests: code

import signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    except (OSError, ValueError):
        pass
while True:
    pass
