"""Prints without end."""
# task: middle; tests: code, cases, exchanges

while True:
    print("x" * 65536)
