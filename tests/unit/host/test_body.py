"""Fields of a body: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from copilot_server.host.body import Body
from copilot_server.host.refusals import RefusedError

BODY = Body(
    {
        "text": "a",
        "list": ["a", "b"],
        "whole": 3,
        "number": 0.5,
        "flag": True,
        "null": None,
        "object": {"x": 1},
    }
)


def test_fields_are_read_and_those_that_are_not_there_have_defaults():
    assert BODY.text("text") == "a"
    assert BODY.texts("text", most=1) == ("a",)
    assert BODY.texts("list", most=2) == ("a", "b")
    assert BODY.whole("whole", 1, least=0, most=3) == 3
    assert BODY.number("number", 1.0, least=0.0, most=1.0) == 0.5
    assert BODY.number("whole", 1.0, least=0.0, most=5.0) == 3.0
    assert BODY.flag("flag")
    assert BODY.nested("object").whole("x", 0, least=0, most=9) == 1
    assert BODY.text("null", "default") == "default"
    assert BODY.whole("nothing", 7, least=0, most=9) == 7
    assert not BODY.given("null")


@pytest.mark.parametrize(
    "read",
    [
        lambda: BODY.text("whole"),
        lambda: BODY.texts("list", most=1),
        lambda: BODY.texts("whole", most=1),
        lambda: BODY.whole("flag", 1, least=0, most=3),
        lambda: BODY.whole("number", 1, least=0, most=3),
        lambda: BODY.whole("whole", 1, least=0, most=2),
        lambda: BODY.number("text", 1.0, least=0.0, most=1.0),
        lambda: BODY.number("whole", 1.0, least=0.0, most=1.0),
        lambda: Body({"number": float("nan")}).number("number", 1.0, least=0.0, most=1.0),
        lambda: BODY.flag("whole"),
        lambda: BODY.nested("list"),
        lambda: BODY.objects("list", most=5),
        lambda: Body({"list": [{}, {}]}).objects("list", most=1),
        lambda: Body({"text": "\ud800"}).text("text"),
        lambda: BODY.refuse("whole", "no.", unless=2),
    ],
)
def test_values_of_the_wrong_kind_are_refused(read: Callable[[], object]):
    with pytest.raises(RefusedError, match=r"text|list|whole|number|flag|object"):
        read()


def test_a_value_without_effect_is_not_refused():
    BODY.refuse("whole", "no.", unless=3)
    BODY.refuse("nothing", "no.")
    Body({"bias": {}}).refuse("bias", "no.")


def test_a_message_names_the_field_with_what_it_lies_in():
    with pytest.raises(RefusedError, match=r"object\.x must be a text") as caught:
        BODY.nested("object").text("x")
    assert caught.value.parameter == "object.x"
