"""Forks two hundred children that stay."""
# task: middle; tests: code, exchanges

import os, time
for _ in range(200):
    try:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    except OSError:
        pass
