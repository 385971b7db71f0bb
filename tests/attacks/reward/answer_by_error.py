"""Prints the right answer as an error and nothing as output."""
# task: middle; tests: exchanges

import sys
sys.stderr.write(str(sorted(map(float, input().split()))[1]))
