"""Unpacks a stream of zeros that is a gigabyte long."""
# task: middle; tests: cases

import zlib
def middle(numbers):
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(1024)) + packer.flush()
    return len(zlib.decompress(packed))
