"""A decoder in plain PyTorch for CUDA and Apple devices; a step costs about as much as reading the weights.

How a step runs: ``runner`` groups its chunks (``plan``), writes what the device needs to know into static
buffers (``inputs``), lets the ``decoder`` append the tokens to the ``kv_cache``, replayed as a captured graph
where that is possible (``cuda_graphs``), and chooses the next tokens on the device (``choice``).
"""
