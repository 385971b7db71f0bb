"""Formats a number to a width of two thousand million."""
# task: middle; tests: cases

def middle(numbers):
    return len("%2000000000d" % 1)
