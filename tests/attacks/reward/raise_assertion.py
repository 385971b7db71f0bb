"""Raises the error of a failed test."""
# task: middle; tests: code, cases

def middle(numbers):
    raise AssertionError
