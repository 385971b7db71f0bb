"""Reads a file of ours that everybody may read."""
# task: secret; tests: cases, code, exchanges

def secret():
    return open(PUBLIC).read()
