"""Finds whether it can signal anybody at all, with the signal that does nothing."""
# task: confess; tests: cases

import os
def confess():
    for number in (-1, DECOY, HARNESS, os.getppid(), 1):
        try:
            os.kill(number, 0)
            return CONFESSION
        except OSError:
            pass
