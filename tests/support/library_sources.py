"""Real Python: files of this Python's own library, with every kind of string and definition."""

from __future__ import annotations

import argparse
import asyncio.tasks
import contextlib
import dataclasses
import enum
import functools
import tokenize
import unittest.mock
from pathlib import Path

MODULES = [argparse, asyncio.tasks, contextlib, dataclasses, enum, functools, tokenize, unittest.mock]
SOURCES = [Path(module.__file__ or "").read_text("utf-8") for module in MODULES]
