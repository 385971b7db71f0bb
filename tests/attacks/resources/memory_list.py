"""Takes memory in blocks until none is left."""
# task: middle; tests: code, cases, exchanges

blocks = []
while len(blocks) < 4096:
    blocks.append(bytearray(2**20))
