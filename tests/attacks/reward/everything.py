"""Answers with the argument itself."""
# task: middle; tests: code, cases

def middle(numbers):
    return numbers
