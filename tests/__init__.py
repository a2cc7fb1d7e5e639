"""The tests. What a test process must be told before it imports torch is told here."""

import tests.support.threads  # noqa: F401 - imported for what it sets
