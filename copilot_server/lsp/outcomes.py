"""What becomes of suggestions, as far as the editor tells."""

from __future__ import annotations

import uuid
from collections import Counter


class Outcomes:
    """Gives each suggestion an id, and counts what is told of it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def offered(self) -> str:
        """Count a suggestion that is sent, and give its id."""
        self.counts["offered"] += 1
        return uuid.uuid4().hex

    def shown(self, item_id: str) -> None:  # noqa: ARG002
        """Count a suggestion that the editor shows."""
        self.counts["shown"] += 1

    def accepted(self, item_id: str) -> None:  # noqa: ARG002
        """Count a suggestion that the user has taken."""
        self.counts["accepted"] += 1

    def partly_accepted(self, item_id: str, length: int) -> None:  # noqa: ARG002
        """Count a suggestion of which the user has taken a part."""
        self.counts["partly accepted"] += 1
