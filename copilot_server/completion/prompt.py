"""Prompts: how a window is presented to the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from copilot_server.catalog import Chat, FimTokens, Manifest, PromptProtocol
from copilot_server.completion.window import Window
from copilot_server.context.closers import is_free
from copilot_server.engine.base import Prompt, Special
from copilot_server.errors import ConfigError

#: DeepSeek-Coder's wording for HumanEval (github.com/deepseek-ai/DeepSeek-Coder, Evaluation/HumanEval),
#: chosen among three by measurement (``benchmarks/LOG.md``).
CHAT_REQUEST = (
    "Please continue to complete the function. You are not allowed to modify the given code and do the "
    "completion only. Please return all completed function in a codeblock. Here is the given code to do "
    "completion:"
)

_LINE = re.compile(r"[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the answer of a chat begins with: ``headers``, and the document from the line at ``start`` on.

    The user's turn has the code above it, and reading that twice would take twice as long.
    """

    headers: str
    start: int


def build_prompt(  # noqa: PLR0913 - what a prompt is made of
    prompt_protocol: PromptProtocol,
    window: Window,
    manifest: Manifest,
    language_id: str,
    stable_length: Callable[[str], int],
    *,
    answer: Answer | None = None,
) -> Prompt:
    """Return the prompt that shows a window to the model by ``prompt_protocol``.

    ``stable_length``: see ``Engine.stable_length``. The output is forced to begin with what the prefix has
    beyond it. ``answer``: what the answer of a chat begins with; by default, all of the prefix.

    Raises:
        ConfigError: the model does not know the prompt protocol.
    """
    if prompt_protocol not in manifest.protocols.known:
        known = ", ".join(manifest.protocols.known)
        msg = f"{manifest.id} does not know the prompt protocol {prompt_protocol!r}."
        raise ConfigError(msg, remedy=f"Use one of: {known}.")
    boundary = stable_length(window.prefix)
    prefix, tail = window.prefix[:boundary], window.prefix[boundary:]
    if prompt_protocol == "fim" and manifest.fim is not None:
        return Prompt(_fim_parts(prefix, window, manifest.fim, language_id), forced=tail)
    if prompt_protocol == "chat-prefill" and manifest.chat is not None:
        begun = prefix if answer is None else _begun(prefix, window, answer)
        return Prompt(_chat_parts(begun, window, manifest.chat, language_id), forced=tail)
    return Prompt((window.others + prefix,), forced=tail)


def _fim_parts(prefix: str, window: Window, fim: FimTokens, language_id: str) -> tuple[str | Special, ...]:
    """Return an infilling prompt. What the user types stands last, so that typing only adds to the prompt.

    In the layout ``psm`` the cursor's line stands last, as the beginning of the middle; in ``spm``, the whole
    prefix. ``spm`` leaves out closers after the cursor. Otherwise every bracket that an editor closes by
    itself would change the whole prompt. The model then writes them, and the filters replace those in the
    document.
    """
    if fim.layout == "spm":
        suffix = _without_closers(window, language_id)
        return (Special(fim.prefix), Special(fim.suffix), suffix, Special(fim.middle), window.others + prefix)
    at = len(window.header) + len(window.above)
    above, line = window.others + prefix[:at], prefix[at:]
    return (Special(fim.prefix), above, Special(fim.suffix), window.suffix, Special(fim.middle), line)


def _without_closers(window: Window, language_id: str) -> str:
    """Return the window's suffix, without the rest of the cursor's line if that consists of closers."""
    found = _LINE.match(window.suffix)
    after = found[0] if found else ""
    return window.suffix[len(after) :] if is_free(window.line, after, language_id) else window.suffix


def _begun(prefix: str, window: Window, answer: Answer) -> str:
    """Return what an answer begins with; all of ``prefix`` if its line does not lie in the window."""
    skipped = answer.start - window.start
    return answer.headers + prefix[len(window.header) + skipped :] if skipped > 0 else prefix


def _chat_parts(prefix: str, window: Window, chat: Chat, language_id: str) -> tuple[str | Special, ...]:
    """Return a chat in which the assistant's answer is a code block that begins with the user's code.

    The user's turn has the lines above the cursor's only, so that typing on a line does not change it. It
    alone has the code of other files, since the answer is the document.
    """
    begin, end = Special(chat.turn_start), Special(chat.turn_end)
    fence = f"```{language_id}\n"
    given = f"{fence}{window.others}{window.header}{window.above}\n```"
    return (
        *(begin, f"system\n{chat.system}", end, "\n"),
        *(begin, f"user\n{CHAT_REQUEST}\n{given}", end, "\n"),
        *(begin, f"assistant\n{fence}{prefix}"),
    )
