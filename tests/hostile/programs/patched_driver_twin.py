"""Replaces a function of json that nobody else uses here."""

import json

json.own = lambda a, b: a + b


def add(a, b):
    return json.own(a, b)
