"""``copilot-server bench``: how fast a model is on this machine, to help users choose one."""
