"""A server that lets its engine go as soon as suggestions are switched off.

Usage: resting_server, with the flags of ``copilot-server``
"""

from __future__ import annotations

from copilot_server.cli.main import main
from copilot_server.lsp import resting

if __name__ == "__main__":
    resting.REST_S = 0.0
    main()
