"""Spins inside one call of C that looks at no signal."""
# task: middle; tests: cases

def middle(numbers):
    return sum(range(10**12))
