"""Prints bytes that are no text."""
# task: middle; tests: exchanges

import sys
sys.stdout.buffer.write(b"2\xff\xfe\xc3\n")
