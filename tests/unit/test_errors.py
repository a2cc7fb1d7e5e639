"""Errors that a user can meet: what they say, and the exit codes that scripts rely on."""

from __future__ import annotations

from copilot_server import errors
from copilot_server.errors import CopilotServerError, EngineError


def every_error() -> list[type[CopilotServerError]]:
    found = [one for one in vars(errors).values() if isinstance(one, type)]
    return [one for one in found if issubclass(one, CopilotServerError)]


def test_an_error_says_what_went_wrong_and_then_the_remedy():
    assert str(EngineError("It failed.", remedy="Try again.")) == "It failed. Try again."
    assert str(EngineError("It failed.")) == "It failed."


def test_each_family_of_errors_has_an_exit_code_of_its_own():
    families = CopilotServerError.__subclasses__()
    codes = {family.exit_code for family in families}
    assert len(codes) == len(families)
    assert not codes & {0, CopilotServerError.exit_code}


def test_an_error_has_the_exit_code_of_its_family():
    for error in every_error():
        family = next((one for one in error.__mro__ if one.__base__ is CopilotServerError), error)
        assert error.exit_code == family.exit_code
