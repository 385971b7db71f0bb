"""Kills a process of ours whose number it knows."""
# task: middle; tests: code, cases, exchanges

import os
for number in (10, 15, 9):
    try:
        os.kill(DECOY, number)
    except OSError:
        pass
