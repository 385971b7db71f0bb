"""Kills its parent and its own group."""
# task: middle; tests: code, cases, exchanges

import os
parent = os.getppid()
for kill in (lambda: os.killpg(os.getpgid(parent), 9), lambda: os.kill(parent, 9), lambda: os.killpg(0, 9)):
    try:
        kill()
    except OSError:
        pass
