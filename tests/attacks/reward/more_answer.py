"""Prints what is right and then more."""
# task: lines; tests: exchanges

first, second = input(), input()
print(first, second, first, sep="\n")
