"""How many instructions the kernels for ARM execute, counted in an emulator.

Nobody has run them on a real processor yet. Instructions are a proxy for time: they say how much there is to
do, and nothing of how much of it is done at a time, or of waiting for memory.
"""
