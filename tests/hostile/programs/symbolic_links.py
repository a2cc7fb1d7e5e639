"""Reaches outside by symbolic and hard links, from within its own folder."""

import os

reached = 0
for number, target in enumerate(("/", "/etc", "/root", HOST_FOLDER, "/proc/1/root", "/dev/fd")):
    try:
        os.symlink(target, f"link{number}")
        with open(f"link{number}/left-behind", "w") as file:
            reached += file.write("x")
    except OSError:
        pass
try:
    os.link(DATA_FILE, "answers")
    reached += 1
except OSError:
    pass
assert reached, "no link leads out"


def add(a, b):
    return a + b
