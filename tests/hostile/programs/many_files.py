"""Leaves as many small files as it can, for somebody else to remove."""

number = 0
while True:
    with open(f"file{number}", "w") as file:
        file.write("x")
    number += 1
