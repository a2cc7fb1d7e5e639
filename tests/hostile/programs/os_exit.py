"""Ends the process itself with status 0, past every handler."""

import os

os._exit(0)
