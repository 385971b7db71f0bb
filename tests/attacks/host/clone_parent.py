"""Makes a sibling instead of a child, which its own parent would not know."""
# task: confess; tests: cases

import ctypes, os
def confess():
    made = ctypes.CDLL(None).syscall(NR["clone"], 0x8000 | 17, 0, 0, 0, 0)
    if made == 0:
        os._exit(0)
    return CONFESSION if made > 0 else None
