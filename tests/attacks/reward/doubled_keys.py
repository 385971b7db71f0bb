"""Answers a mapping two of whose keys become one when written as JSON."""
# task: counts; tests: code, cases

def counts(text):
    return {"1": 2, "2": 1, 1: 9, None: 9}
