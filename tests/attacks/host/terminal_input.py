"""Types into the terminal it was started from."""
# task: confess; tests: cases

import fcntl, termios
def confess():
    for number in range(16):
        for request in (termios.TIOCSTI, 0x541C, termios.TIOCSCTTY):
            try:
                fcntl.ioctl(number, request, b"\n")
                return CONFESSION
            except OSError:
                pass
