"""Spins when it is loaded."""
# task: middle; tests: code, exchanges

while True:
    pass
