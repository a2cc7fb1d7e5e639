"""``python -m copilot_server`` is ``copilot-server``."""

from copilot_server.cli import main

main()
