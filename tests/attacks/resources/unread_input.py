"""Closes its input unread and never ends."""
# task: middle; tests: exchanges

import os, time
os.close(0)
time.sleep(3600)
