"""The parts of ``gpu_bench.py``, which says what they measure."""
