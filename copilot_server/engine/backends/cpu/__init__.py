"""The runner for CPUs: our own kernels in C, over int8 weights mapped from a file; needs no torch."""
