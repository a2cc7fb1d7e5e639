"""One generation of a remote engine, given its answer piece by piece."""

from __future__ import annotations

import pytest

from copilot_server.catalog import find
from copilot_server.engine.backends.remote.answers import Piece, Token
from copilot_server.engine.backends.remote.candidate import RemoteCandidate
from copilot_server.engine.backends.remote.escaping import BREAK, Escaping, split_infill
from copilot_server.engine.base import GenerationRequest, Prompt, Sampling, Special, Written

QWEN = find("qwen2.5-coder-0.5b")
GREEDY = Sampling()
ESCAPING = Escaping(QWEN.control_tokens)


def row(
    *parts: str | Special,
    forced: str = "",
    sampling: Sampling = GREEDY,
    candidate: int = 0,
    **asked: object,
) -> RemoteCandidate:
    request = GenerationRequest(Prompt(parts, forced), sampling, **asked)  # type: ignore[arg-type]
    return RemoteCandidate(request, candidate, ESCAPING)


def words(*texts: str) -> list[Piece]:
    """Pieces of one token each, as streams have them."""
    return [Piece(text, (Token(text, -0.5),)) for text in texts]


def feed(one: RemoteCandidate, pieces: list[Piece]) -> int:
    """Give pieces until no more is wanted; returns how many were taken."""
    for count, piece in enumerate(pieces, start=1):
        if one.accept(piece):
            return count
    return len(pieces)


def test_text_is_taken_until_the_engine_ends() -> None:
    one = row("x = ")
    assert feed(one, [*words("1", " + 2"), Piece("", finish="stop"), *words("never")]) == 3
    generation = one.generation()
    assert (generation.text, generation.finish_reason, generation.tokens) == ("1 + 2", "eos", 2)
    assert generation.mean_logprob == -0.5


def test_the_trace_has_the_end_of_each_token_in_the_text() -> None:
    one = row("x", forced=" =")
    feed(one, [*words(" = ", "1", "\n"), Piece("", finish="stop")])
    generation = one.generation()
    assert generation.text == " 1\n"
    assert generation.trace == (Written(1, -0.5), Written(2, -0.5), Written(3, -0.5))


def test_a_stop_text_that_the_engine_left_in_is_cut_wherever_tokens_end() -> None:
    one = row("x", stop=("\n```",))
    assert feed(one, words("y\n", "``", "`\nmore", "never")) == 3
    assert (one.generation().text, one.generation().finish_reason) == ("y", "stop")


def test_a_stop_text_that_the_engine_cut_itself_is_distinguished_from_the_end_of_the_text() -> None:
    for stopped_by, reason in (("\n```", "stop"), ("", "stop"), ("<|im_end|>", "eos")):
        one = row("x", stop=("\n```",))
        feed(one, [*words("y"), Piece("", finish="stop", stopped_by=stopped_by)])
        assert one.generation().finish_reason == reason


def test_the_end_of_the_scope_ends_it() -> None:
    one = row("x", until=lambda text: "\n" in text)
    assert feed(one, words("a", "b\n", "c")) == 2
    assert one.generation().finish_reason == "stop"


def test_no_more_tokens_are_taken_than_were_asked_for() -> None:
    one = row("x", sampling=Sampling(max_new_tokens=2))
    assert feed(one, words("a", "b", "c")) == 2
    assert one.generation().finish_reason == "length"


def test_a_control_token_in_the_text_ends_it_and_is_no_part_of_it() -> None:
    one = row("x")
    assert feed(one, words("a", "<|file_sep|>", "b")) == 2
    assert (one.generation().text, one.generation().finish_reason) == ("a", "eos")
    assert one.generation().tokens == 1


def test_names_of_control_tokens_in_a_users_text_are_sent_broken_and_come_back_whole() -> None:
    one = row(Special("<|fim_prefix|>"), 'END = "<|im_end|>"  # <|unheard_of|>\n')
    sent = one.ask().prompt
    assert sent.startswith("<|fim_prefix|>END")
    assert sent.count("<|") == 1
    assert sent.count(BREAK) == 2
    feed(one, [*words(f'"<{BREAK}|im_end|>"'), Piece("", finish="stop")])
    assert one.generation().text == '"<|im_end|>"'


def test_half_of_a_surrogate_pair_is_sent_as_something_that_can_be() -> None:
    assert row("x = '\ud83d' + 'ä'").ask().prompt == "x = '?' + 'ä'"


def test_half_a_character_at_the_end_is_left_out() -> None:
    one = row("x", sampling=Sampling(max_new_tokens=2))
    feed(one, words("ä", "\N{REPLACEMENT CHARACTER}"))
    assert one.generation().text == "ä"


# The output must begin with what was taken off the prompt.


def test_an_output_that_begins_as_it_must_goes_on() -> None:
    one = row("    ", forced="ret")
    assert one.ask().logprobs == 20
    assert feed(one, [*words("re", "turn", " x"), Piece("", finish="stop")]) == 4
    assert one.generation().text == "urn x"


def test_an_output_that_strays_goes_on_with_the_likeliest_token_that_is_allowed() -> None:
    one = row("    ", forced="ret")
    others = (("raise", -0.1), ("re", -2.0), ("return", -3.0), ("", -0.2))
    assert one.accept(Piece("raise", (Token("raise", -0.1, others),)))
    assert one.finish_reason is None
    assert one.ask().prompt == "    re"
    assert one.ask().max_tokens == 255
    assert feed(one, [*words("turn", " x"), Piece("", finish="stop")]) == 3
    assert (one.generation().text, one.generation().tokens) == ("urn x", 3)


def test_an_output_of_which_no_token_is_allowed_goes_on_from_what_was_typed() -> None:
    one = row("x = ", forced="zq")
    assert one.accept(Piece("y", (Token("y", -0.1, (("y", -0.1), ("w", -1.0))),)))
    assert one.ask().prompt == "x = zq"
    assert one.ask().logprobs == 1
    feed(one, [*words("1"), Piece("", finish="stop")])
    assert one.generation().text == "1"


def test_an_engine_without_log_probabilities_goes_on_from_what_was_typed() -> None:
    one = row("x = ", forced="zq")
    assert not one.accept(Piece("z"))
    assert one.accept(Piece("w"))
    assert one.ask().prompt == "x = zq"
    feed(one, [Piece("1"), Piece("", finish="stop")])
    assert (one.generation().text, one.generation().tokens) == ("1", 1)


def test_an_output_that_ends_before_what_it_must_have_goes_on_from_what_was_typed() -> None:
    one = row("x = ", forced="zq")
    assert feed(one, [*words("z"), Piece("", finish="stop")]) == 2
    assert one.finish_reason is None
    assert one.ask().prompt == "x = zq"


def test_a_text_that_lags_behind_its_tokens_is_waited_for() -> None:
    """An engine keeps back what may become a stop text, and gives its tokens all the same."""
    one = row("x", forced="ab")
    pieces = [
        Piece("", (Token("a", -1.0),)),
        Piece("", (Token("bc", -1.0),)),
        Piece("abc"),
        Piece("", finish="stop"),
    ]
    assert feed(one, pieces) == 4
    assert one.generation().text == "c"


def test_what_broke_off_is_begun_anew_from_what_was_chosen() -> None:
    one = row("    ", forced="ret")
    one.accept(Piece("raise", (Token("raise", -0.1, (("re", -2.0),)),)))
    feed(one, words("turn", " lost"))
    one.restart()
    assert not one.has_begun
    assert one.ask().prompt == "    re"
    feed(one, [*words("turn", " kept"), Piece("", finish="stop")])
    assert one.generation().text == "urn kept"


def test_drawn_candidates_draw_among_the_tokens_that_are_allowed() -> None:
    others = (("re", -0.7), ("ret", -0.7), ("x", -0.1))
    chosen = set()
    for candidate in range(20):
        one = row("", forced="ret", sampling=Sampling(temperature=1.0, seed=1), candidate=candidate)
        one.accept(Piece("x", (Token("x", -0.1, others),)))
        chosen.add(one.ask().prompt)
    assert chosen == {"re", "ret"}


# How it is asked for.


def test_the_first_candidate_is_greedy_and_each_other_has_a_seed_of_its_own() -> None:
    sampling = Sampling(temperature=0.8, top_p=0.9, seed=5, n=3, greedy_first=True)
    asks = [row("x", sampling=sampling, candidate=candidate).ask() for candidate in range(3)]
    assert [ask.temperature for ask in asks] == [0.0, 0.8, 0.8]
    assert [ask.top_p for ask in asks] == [1.0, 0.9, 0.9]
    assert asks[0].seed is None
    assert asks[1].seed != asks[2].seed
    assert all(0 <= ask.seed < 2**31 for ask in asks[1:] if ask.seed is not None)
    again = row("x", sampling=sampling, candidate=1).ask()
    assert again == asks[1]


def test_without_a_seed_the_engine_draws_one() -> None:
    assert row("x", sampling=Sampling(temperature=0.8), candidate=1).ask().seed is None


@pytest.mark.parametrize("layout", ["spm", "psm"])
def test_an_infilling_prompt_is_taken_apart_for_an_engine_that_makes_it_itself(layout: str) -> None:
    fim = QWEN.fim
    assert fim is not None
    before, after, middle = Special(fim.prefix), Special(fim.suffix), Special(fim.middle)
    parts = (
        (before, after, "end", middle, "begin x")
        if layout == "spm"
        else (before, "begin ", after, "end", middle, "x")
    )
    assert split_infill(Prompt(parts), fim) == (
        Prompt(("begin ", "x") if layout == "psm" else ("begin x",)),
        Prompt(("end",)),
    )
    one = RemoteCandidate(GenerationRequest(Prompt(parts)), 0, ESCAPING, fim)
    assert (one.ask().prompt, one.ask().suffix) == ("begin x", "end")
    assert split_infill(Prompt(("plain",)), fim) is None
    assert row("plain").ask().suffix is None
