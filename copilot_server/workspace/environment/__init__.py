"""The packages that are installed in a workspace's Python environment: heads of what documents import."""
