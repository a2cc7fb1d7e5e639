"""Fails with a message of ten megabytes, full of what steers terminals and pages."""


def add(a, b):
    raise ValueError("\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\0\ud800" * 250_000)
