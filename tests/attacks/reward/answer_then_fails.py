"""Prints what is right, then ends as a failure."""
# task: lines; tests: exchanges

import sys
print(input(), input(), sep="\n", flush=True)
sys.exit(3)
