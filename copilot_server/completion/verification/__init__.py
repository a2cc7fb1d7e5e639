"""Drawing candidates until one passes the examples that the function's own documentation shows."""
