"""The HTTP server of llama.cpp from the wheel ``xllamacpp``, in the virtual environment that has it.

It prints a line of JSON, ``{"url": ..., "version": ...}``, when it listens, and serves until stdin is closed.
Usage: python llamacpp.py MODEL.gguf CONTEXT_TOKENS STREAMS THREADS [PORT]
"""

from __future__ import annotations

import json
import sys

import xllamacpp


def main() -> None:
    """Serve ``STREAMS`` slots of ``CONTEXT_TOKENS`` tokens each, with llama.cpp's defaults for the rest."""
    model, context_tokens, streams, threads = sys.argv[1], *map(int, sys.argv[2:5])
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = context_tokens * streams
    params.n_parallel = streams
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.endpoint_metrics = True
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    server = xllamacpp.Server(params)
    print(json.dumps({"url": server.listening_address, "version": xllamacpp.__version__}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
