"""Writes 1 GiB in files of 1 MiB."""

for number in range(1024):
    with open(f"/tmp/{number}", "wb") as file:
        file.write(b"x" * 2**20)
