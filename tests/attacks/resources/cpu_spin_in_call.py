"""Spins when it is called."""
# task: middle; tests: code, cases

def middle(numbers):
    while True:
        pass
