"""Takes 4 GiB outside its own address space: files in memory that no folder holds."""

import os

files = [os.memfd_create("hoard") for _ in range(256)]
for file in files:
    os.write(file, b"x" * 2**24)


def add(a, b):
    return a + b
