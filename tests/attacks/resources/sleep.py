"""Sleeps an hour when it is loaded."""
# task: middle; tests: code, exchanges

import time
time.sleep(3600)
