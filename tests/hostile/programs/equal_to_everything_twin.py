"""Has such an object, and answers with its own."""


class Everything:
    def __eq__(self, other):
        return True


def add(a, b):
    return a + b if Everything() == a else None
