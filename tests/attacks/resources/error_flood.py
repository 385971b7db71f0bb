"""Writes errors without end."""
# task: middle; tests: code, exchanges

import sys
while True:
    sys.stderr.write("x" * 65536)
