"""Where a model computes: our CPU kernels, PyTorch and Triton, transformers, or a remote engine."""
