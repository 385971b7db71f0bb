"""Answers a generator where a list is expected."""
# task: evens; tests: code, cases

def evens(numbers):
    return (n for n in numbers if n % 2 == 0)
