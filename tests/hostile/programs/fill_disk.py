"""Writes 1 GiB in files of 1 MiB."""

for number in range(1024):
    with open(f"{number}", "wb") as file:
        file.write(b"x" * 2**20)


def add(a, b):
    return a + b
