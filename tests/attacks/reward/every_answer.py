"""Prints every answer there might be."""
# task: middle; tests: exchanges

print(*range(100), sep="\n")
