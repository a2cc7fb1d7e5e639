"""Leaves folders that nobody may open, and files in folders that nobody may list."""

import os

for number in range(20):
    os.mkdir(f"blind{number}", 0o300)
    with open(f"blind{number}/file", "w") as file:
        file.write("x")
    os.mkdir(f"closed{number}", 0)
for number in range(20):
    os.chmod(f"blind{number}", 0)


def add(a, b):
    return None
