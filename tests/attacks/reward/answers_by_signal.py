"""Has a signal's handler answer while something else is going on."""
# task: middle; tests: code, cases

import os, signal, time
def answer(number, frame):
    os.write(1, b"passed\n")
    os._exit(0)
for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGXCPU, signal.SIGPIPE, signal.SIGCHLD):
    signal.signal(number, answer)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
def middle(numbers):
    time.sleep(0.1)
    return 0
