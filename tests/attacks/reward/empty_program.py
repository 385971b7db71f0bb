"""Is only a comment."""
# task: middle; tests: code, cases, exchanges
