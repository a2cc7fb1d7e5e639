"""Tokens in, tokens out: models, devices, KV caches and sampling. Knows no editor."""
