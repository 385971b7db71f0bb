"""Answers with a list of three million numbers."""
# task: middle; tests: code, cases

def middle(numbers):
    return list(range(3 * 10**6))
