"""When which request reaches the engine."""
