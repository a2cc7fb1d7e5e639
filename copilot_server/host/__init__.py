"""The engine host: one process that holds models and serves them over HTTP to many clients."""
