"""Fills a dictionary with numbers of one hash."""
# task: middle; tests: cases

def middle(numbers):
    return len({n * (2**61 - 1): n for n in range(1, 10**6)})
