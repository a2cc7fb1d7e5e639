"""Prompts: the form in which the model reads a window."""

from __future__ import annotations

import re

from copilot_server.catalog import Chat, FimTokens, Manifest, PromptProtocol
from copilot_server.completion.window import Window
from copilot_server.context.closers import is_free
from copilot_server.engine.base import Prompt, Special
from copilot_server.errors import ConfigError

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
_LINE = re.compile(r"[^\r\n]*")


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
        return Prompt(_fim_parts(prefix, window, manifest.fim, language_id), forced=tail)
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


def _fim_parts(prefix: str, window: Window, fim: FimTokens, language_id: str) -> tuple[str | Special, ...]:
    """An infilling prompt. What is typed stands last, so that typing only adds to the prompt.

    In the layout ``psm`` that is the cursor's line, which the middle begins with; in ``spm`` all of the
    prefix. There closers after the cursor are left out, lest every bracket that an editor closes by itself
    change the whole prompt: a model then writes them, and the filters put them over those that are there.
    """
    if fim.layout == "spm":
        suffix = _without_closers(window, language_id)
        return (Special(fim.prefix), Special(fim.suffix), suffix, Special(fim.middle), prefix)
    at = len(window.header) + len(window.above)
    above, line = prefix[:at], prefix[at:]
    return (Special(fim.prefix), above, Special(fim.suffix), window.suffix, Special(fim.middle), line)


def _without_closers(window: Window, language_id: str) -> str:
    """Return the window's suffix without the rest of the cursor's line, if that is closers alone."""
    found = _LINE.match(window.suffix)
    after = found[0] if found else ""
    return window.suffix[len(after) :] if is_free(window.line, after, language_id) else window.suffix


def _chat_parts(prefix: str, chat: Chat, language_id: str) -> tuple[str | Special, ...]:
    """A chat in which the assistant's answer is a code block already begun by the user's own code."""
    begin, end = Special(chat.turn_start), Special(chat.turn_end)
    block = f"```{language_id}\n{prefix}"
    return (
        *(begin, f"system\n{chat.system}", end, "\n"),
        *(begin, f"user\n{CHAT_REQUEST}\n{block}\n```", end, "\n"),
        *(begin, f"assistant\n{block}"),
    )
