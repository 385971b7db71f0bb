"""Answers True where 1 is expected."""
# task: one; tests: cases

def one():
    return True
