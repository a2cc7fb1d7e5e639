"""Changes a list of its own."""


def add(a, b):
    terms = [a, b]
    terms[:] = [sum(terms)]
    return terms[0]
