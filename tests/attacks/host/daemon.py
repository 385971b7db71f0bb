"""Leaves a process behind that forked twice and calls home a second later."""
# task: middle; tests: code, cases, exchanges

import os, socket, time
try:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(0.5)
            socket.create_connection(("127.0.0.1", TCP))
            time.sleep(600)
        os._exit(0)
except OSError:
    pass
