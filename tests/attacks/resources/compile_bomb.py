"""Compiles an expression nested deeper than any stack."""
# task: middle; tests: code

def middle(numbers):
    compile("-" * 10**6 + "1", "bomb", "eval")
    return 0
