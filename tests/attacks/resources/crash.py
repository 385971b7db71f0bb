"""Reads from address zero."""
# task: middle; tests: code, cases, exchanges

import ctypes
ctypes.string_at(0)
