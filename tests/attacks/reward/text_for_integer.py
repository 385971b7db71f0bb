"""Answers text that reads as what is expected."""
# task: one; tests: cases

def one():
    return "1"
