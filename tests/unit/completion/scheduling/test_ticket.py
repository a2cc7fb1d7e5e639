"""Tickets: what was typed between two requests, and when a generation is cancelled."""

from __future__ import annotations

import pytest

from copilot_server.completion.scheduling.ticket import Superseded, Ticket
from copilot_server.completion.types import CompletionRequest
from tests.support.cursor_text import cursor_in


def request(text: str, *, invoked: bool = False) -> CompletionRequest:
    return CompletionRequest(cursor_in(text), invoked)


@pytest.mark.parametrize(
    ("older", "newer", "typed"),
    [
        ("x = ‸\n", "x = on‸\n", "on"),
        ("x = ‸\n", "x = ‸\n", ""),
        ("x = o‸\n", "x = ‸\n", None),
        ("x = ‸\n", "y = o‸\n", None),
        ("x = ‸)", "x = o‸", None),
    ],
)
async def test_what_was_typed_between_two_requests(older: str, newer: str, typed: str | None) -> None:
    assert Ticket(request(older)).typed_before(request(newer)) == typed
    assert Ticket(request(older)).typed_before(request(newer, invoked=True)) is None


async def test_a_generation_is_cancelled_once_it_differs_from_what_is_typed() -> None:
    ticket = Ticket(request("x = ‸"))
    ticket.typed = "on"
    for text in ("o", "on", "one"):
        ticket.check_typed(text)
        assert not ticket.cancel.is_set()
    ticket.check_typed("of")
    assert ticket.cancel.is_set()


@pytest.mark.parametrize("carry_on", [True, False])
async def test_a_superseded_request_is_answered_whether_or_not_its_generation_goes_on(carry_on: bool) -> None:
    ticket = Ticket(request("x = ‸"))
    ticket.supersede(carry_on=carry_on)
    assert ticket.cancel.is_set() is not carry_on
    with pytest.raises(Superseded):
        await ticket.answer
