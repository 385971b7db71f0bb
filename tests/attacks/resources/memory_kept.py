"""Catches MemoryError and goes on asking for memory."""
# task: middle; tests: cases

blocks = []
def middle(numbers):
    while True:
        try:
            blocks.append(bytearray(2**16))
        except MemoryError:
            pass
