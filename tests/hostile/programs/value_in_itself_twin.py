"""Has a list that holds itself."""


def add(a, b):
    value = [a + b]
    value.append(value)
    return value[1][1][0]
