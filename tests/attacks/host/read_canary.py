"""Reads a file of ours that only its owner may read."""
# task: secret; tests: cases, code, exchanges

def secret():
    return open(CANARY).read()
