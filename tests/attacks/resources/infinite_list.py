"""Turns an endless iterator into a list."""
# task: middle; tests: code, cases

import itertools
def middle(numbers):
    return list(itertools.count())
