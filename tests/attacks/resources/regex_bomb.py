"""Matches a pattern that backtracks without end."""
# task: middle; tests: cases

import re
def middle(numbers):
    return re.match(r"(a+)+$", "a" * 64 + "b")
