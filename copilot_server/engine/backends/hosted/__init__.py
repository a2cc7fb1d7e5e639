"""The engine in an engine host on this machine, which all editors of a user share."""
