"""Raises what a person's Ctrl-C raises, which few handlers catch."""


def add(a, b):
    raise KeyboardInterrupt
