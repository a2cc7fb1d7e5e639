"""Which request reaches the engine, and when."""
