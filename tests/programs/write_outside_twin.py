"""Leaves a file in its own folder, found in the same way."""

import os


def writable(folder):
    try:
        with open(os.path.join(folder, "left-behind"), "w") as file:
            file.write("x")
    except OSError:
        return False
    return True


folders = [folder for folder, _, _ in os.walk("/") if folder.startswith("/tmp")]
assert any(map(writable, folders))
