"""Replaces a builtin and puts it back."""

import builtins


def add(a, b):
    real, builtins.abs = abs, lambda value: value
    try:
        return abs(a) + abs(b)
    finally:
        builtins.abs = real
