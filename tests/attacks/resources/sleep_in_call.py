"""Sleeps an hour when it is called."""
# task: middle; tests: code, cases

import time
def middle(numbers):
    time.sleep(3600)
