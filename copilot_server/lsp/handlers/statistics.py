"""``copilotServer/stats``: what has become of this editor's requests, for benchmarks and tests."""

from __future__ import annotations

from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session

STATS = "copilotServer/stats"


def stats(session: Session, _params: object) -> dict[str, object]:
    """Return the scheduler's counts, which ``completion.scheduling.counts`` describes."""
    counts = session.scheduler.counts
    return {
        "requests": counts.requests,
        "answers": dict(counts.answers),
        "cancelledWaiting": counts.cancelled_waiting,
        "cancelledRunning": counts.cancelled_running,
        "failed": counts.failed,
        "prefetches": counts.prefetches,
        "madeAhead": counts.prefetches,  # the name before 0.2.0
        "readAhead": counts.read_ahead,
        "readAheadGivenUp": counts.read_ahead_given_up,
    }


HANDLERS: Handlers = {STATS: stats}
