"""Is not Python."""
# task: middle; tests: code, cases, exchanges

exec("def middle(numbers:")
