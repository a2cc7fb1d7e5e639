"""The tests. The environment variables that torch reads at its import are set here."""

import tests.support.threads  # noqa: F401 - imported for what it sets
