"""From a cursor to ranked candidates: prompts, the engine, filters and caches. Knows nothing of LSP."""
