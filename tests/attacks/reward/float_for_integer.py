"""Answers 1.0 where 1 is expected."""
# task: one; tests: cases

def one():
    return 1.0
