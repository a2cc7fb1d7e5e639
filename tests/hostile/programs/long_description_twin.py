"""Packs a long message, and keeps it to itself."""

import json


def add(a, b):
    message = json.dumps(["raised", a + b, "y" * 60_000])
    return json.loads(message)[1]
