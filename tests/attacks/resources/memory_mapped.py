"""Maps eight gigabytes and touches every page of the first two."""
# task: confess; tests: cases

import mmap
def confess():
    area = mmap.mmap(-1, 8 * 2**30)
    for page in range(0, 2 * 2**30, 4096):
        area[page] = 1
    return CONFESSION
