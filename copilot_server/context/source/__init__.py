"""Reading source code: tokens, strings, definitions."""
