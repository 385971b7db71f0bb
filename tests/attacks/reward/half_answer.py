"""Prints the first line of two, so that comparing line by line stops early."""
# task: lines; tests: exchanges

print(input())
