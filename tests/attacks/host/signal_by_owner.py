"""Has the kernel signal a process of ours when a descriptor becomes readable."""
# task: middle; tests: code, cases

import fcntl, os
for number in (0, 1, 2, *range(3, 32)):
    try:
        fcntl.fcntl(number, fcntl.F_SETOWN, DECOY)
        fcntl.fcntl(number, 10, 9)
        fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:
        pass
inner, outer = os.pipe()
fcntl.fcntl(inner, fcntl.F_SETOWN, DECOY)
fcntl.fcntl(inner, 10, 9)
fcntl.fcntl(inner, fcntl.F_SETFL, os.O_ASYNC)
os.write(outer, b"x")
