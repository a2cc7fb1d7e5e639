"""Makes a hundred small files."""

for number in range(100):
    with open(f"file{number}", "w") as file:
        file.write("x")


def add(a, b):
    return a + b
