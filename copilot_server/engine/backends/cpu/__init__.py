"""The runner for CPUs: this project's own kernels in C, over int8 weights mapped from a file; no torch."""
