"""Which model of the catalogue suits this machine: what ``model = "auto"`` means."""
