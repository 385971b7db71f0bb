"""Waits for a lock it holds."""
# task: middle; tests: cases

import threading
def middle(numbers):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
