"""The language server: JSON-RPC in and out, and nothing that knows what a model is."""
