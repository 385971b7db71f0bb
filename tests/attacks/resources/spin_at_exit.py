"""Spins when its interpreter ends."""
# task: middle; tests: code, exchanges

import atexit
@atexit.register
def stay():
    while True:
        pass
