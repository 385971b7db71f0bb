"""Prints a byte now and then, for ever, so that it never seems idle."""
# task: middle; tests: exchanges

import time
while True:
    print(".", end="", flush=True)
    time.sleep(0.05)
