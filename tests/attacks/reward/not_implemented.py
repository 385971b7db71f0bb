"""Answers with the value by which Python asks the other side."""
# task: middle; tests: code, cases

def middle(numbers):
    return NotImplemented
