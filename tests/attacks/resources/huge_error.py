"""Raises an error whose text is a hundred megabytes long."""
# task: middle; tests: code, cases

def middle(numbers):
    raise ValueError("x" * 10**8)
