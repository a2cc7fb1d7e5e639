"""How fast completions are on this machine, for who wants to choose a model by it."""
