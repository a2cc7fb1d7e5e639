"""Prompts: which part of a document the model reads, and in which form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from copilot_server.catalog import Chat, FimTokens, Manifest, PromptProtocol
from copilot_server.context.document import Cursor
from copilot_server.engine.base import Prompt, Special
from copilot_server.errors import ConfigError

CountTokens = Callable[[str], int]

#: Of the budget, what follows the cursor may use; the rest is for what stands before it.
SUFFIX_SHARE = 0.25
#: Of the budget, what lines pinned to the top (imports, headers) may use when they are out of reach.
PINNED_SHARE = 0.25

#: DeepSeek-Coder's own wording for HumanEval (github.com/deepseek-ai/DeepSeek-Coder, Evaluation/HumanEval),
#: chosen among three by measurement (``benchmarks/LOG.md``).
CHAT_REQUEST = (
    "Please continue to complete the function. You are not allowed to modify the given code and do the "
    "completion only. Please return all completed function in a codeblock. Here is the given code to do "
    "completion:"
)

#: What the end of a prompt may not be cut in: a word and the space before it, or a line's indentation.
_TAIL = re.compile(r"[ ]?\w+\Z|[ \t]+\Z")
#: A longer tail (a data blob with no space in it) is no word; the model reads it as it is.
_MAX_TAIL = 64


@dataclass(frozen=True, slots=True)
class Window:
    """The text around the cursor that the model reads."""

    prefix: str
    suffix: str


def take_window(cursor: Cursor, pinned: Sequence[str], budget: int, count_tokens: CountTokens) -> Window:
    """Cut the document to ``budget`` tokens, by whole lines, the nearest ones first.

    ``pinned`` are pieces of the document (imports, the headers of what encloses the cursor), in order,
    that are put on top when the lines they stand on do not fit.
    """
    suffix_lines = cursor.suffix.splitlines(keepends=True)
    suffix = "".join(_fit(suffix_lines, int(budget * SUFFIX_SHARE), count_tokens))
    room = budget - count_tokens(suffix)
    if _fits(cursor.prefix, room, count_tokens):
        return Window(cursor.prefix, suffix)
    header = "".join(_fit(pinned, int(budget * PINNED_SHARE), count_tokens))
    near = _last_lines(cursor.prefix, room - count_tokens(header), count_tokens)
    return Window(header + near, suffix)


def build_prompt(protocol: PromptProtocol, window: Window, manifest: Manifest, language_id: str) -> Prompt:
    """Put a window into the form that ``protocol`` names.

    Raises:
        ConfigError: the model does not know the protocol.
    """
    if protocol not in manifest.protocols.known:
        known = ", ".join(manifest.protocols.known)
        msg = f"{manifest.id} does not know the prompt protocol {protocol!r}."
        raise ConfigError(msg, remedy=f"Use one of: {known}.")
    prefix, tail = split_tail(window.prefix)
    if protocol == "fim" and manifest.fim is not None:
        return Prompt(_fim_parts(prefix, window.suffix, manifest.fim), forced=tail)
    if protocol == "chat-prefill" and manifest.chat is not None:
        return Prompt(_chat_parts(prefix, manifest.chat, language_id), forced=tail)
    return Prompt((prefix,), forced=tail)


def split_tail(prefix: str) -> tuple[str, str]:
    """Take off what the model would not cut its tokens at: a begun word, or spaces before one.

    A prompt that ends in ``re`` or in four spaces is one the model has hardly ever seen, since its tokens
    are `` return`` and three spaces; what is taken off is asked of its output instead (token healing,
    github.com/guidance-ai/guidance, notebooks/art_of_prompt_design/prompt_boundaries_and_token_healing).
    """
    match = _TAIL.search(prefix[-_MAX_TAIL - 1 :])
    tail = match.group() if match else ""
    if len(tail) > _MAX_TAIL:
        return prefix, ""
    return prefix[: len(prefix) - len(tail)], tail


def _fim_parts(prefix: str, suffix: str, fim: FimTokens) -> tuple[str | Special, ...]:
    """Prefix-suffix-middle (Bavarian et al. 2022, arXiv:2207.14255, section 3)."""
    return (Special(fim.prefix), prefix, Special(fim.suffix), suffix, Special(fim.middle))


def _chat_parts(prefix: str, chat: Chat, language_id: str) -> tuple[str | Special, ...]:
    """A chat in which the assistant's answer is a code block already begun by the user's own code."""
    begin, end = Special(chat.turn_start), Special(chat.turn_end)
    block = f"```{language_id}\n{prefix}"
    return (
        *(begin, f"system\n{chat.system}", end, "\n"),
        *(begin, f"user\n{CHAT_REQUEST}\n{block}\n```", end, "\n"),
        *(begin, f"assistant\n{block}"),
    )


def _fits(text: str, budget: int, count_tokens: CountTokens) -> bool:
    # A token is seldom longer than 16 characters of code: do not count what cannot fit.
    return len(text) <= 16 * budget and count_tokens(text) <= budget


def _fit(pieces: Iterable[str], budget: int, count_tokens: CountTokens) -> list[str]:
    """The first pieces that have at most ``budget`` tokens together."""
    taken: list[str] = []
    for piece in pieces:
        budget -= max(1, count_tokens(piece)) if len(piece) <= 16 * max(budget, 0) else budget + 1
        if budget < 0:
            break
        taken.append(piece)
    return taken


def _last_lines(text: str, budget: int, count_tokens: CountTokens) -> str:
    lines = text.splitlines(keepends=True)
    kept = _fit(reversed(lines), budget, count_tokens)
    return "".join(reversed(kept)) if kept else _last_characters(text, budget)


def _last_characters(text: str, budget: int) -> str:
    """The end of a line too long to fit, at a token a character: the worst case."""
    return text[-budget:]
