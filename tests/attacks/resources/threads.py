"""Starts five hundred threads."""
# task: middle; tests: code

import threading, time
for _ in range(500):
    try:
        threading.Thread(target=time.sleep, args=(60,)).start()
    except RuntimeError:
        pass
