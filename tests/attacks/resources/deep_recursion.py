"""Recurses until the stack ends, without a limit."""
# task: middle; tests: code, cases

import sys
sys.setrecursionlimit(2**30)
def middle(numbers):
    return middle(numbers)
