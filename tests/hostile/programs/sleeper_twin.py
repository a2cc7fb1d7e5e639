"""Runs a program that ends."""

import subprocess
import sys


def add(a, b):
    done = subprocess.run([sys.executable, "-S", "-c", f"print({a} + {b})"], stdout=subprocess.PIPE)
    return int(done.stdout)
