"""Prints signs that erase what was printed."""
# task: middle; tests: exchanges

print("0\b2\r2\x1b[2K2\x7f")
