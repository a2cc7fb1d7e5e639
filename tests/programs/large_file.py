"""Writes one file of 32 MiB, which the folder would hold."""

with open("/tmp/large", "wb") as file:
    for _ in range(32):
        file.write(b"x" * 2**20)
