"""HumanEval on the served path: the same pipeline that an editor asks, its programs run in a sandbox."""
