"""Answers with what is not a number, and is neither above nor below anything."""
# task: root; tests: code, cases

def root(number):
    return float("nan")
