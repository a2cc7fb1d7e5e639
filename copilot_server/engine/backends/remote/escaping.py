"""A prompt as one text, in which names of control tokens in the user's text are escaped.

An engine that receives text reads every name of a control token in it as that token, wherever it came from.
Names in the user's text are therefore split by a zero-width character, which is removed from the answer
again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from copilot_server.catalog import FimTokens
from copilot_server.engine.base import Prompt, Special

#: Inserted after the first character of a name: ZERO WIDTH SPACE.
BREAK = "\u200b"
#: What the names of control tokens look like in current vocabularies, whether a manifest lists them or not.
_ANY_NAME = r"<\|[\w-]+\|>|<｜[^｜\s]+｜>"
#: Further names, some of which are ordinary text to most models: those of Mistral, Llama 2, CodeLlama, Gemma,
#: StarCoder, Seed-Coder, GLM, T5 and BERT. They are split where it is not known which model reads them.
_NAMES_IN_ANGLES = (
    "/?s|unk|pad|bos|eos|mask|cls|sep|sop|eop|eod|eot|EOT|PRE|SUF|MID|</?SYS>|(?:start|end)_of_(?:turn|image)"
    r"|fim[-_]\w+|\[fim-\w+\]|filename|file_sep|repo_?name|gh_stars|(?:issue|commit|jupyter)_\w+|empty_output"
    r"|/?think|/?tool_\w+|unused\d+|extra_id_\d+"
)
_NAMES_IN_BRACKETS = (
    "/?INST|/?SYSTEM_PROMPT|/?AVAILABLE_TOOLS|/?TOOL_RESULTS|/?MODEL_SETTINGS|/?THINK|TOOL_CALLS|TOOL_CONTENT"
    "|CALL_ID|ARGS|PREFIX|MIDDLE|SUFFIX|CLS|SEP|PAD|MASK|UNK|BOS|EOS|[gs]MASK"
)
_NAMES_OF_UNKNOWN_MODELS = rf"<(?:{_NAMES_IN_ANGLES})>|\[(?:{_NAMES_IN_BRACKETS})\]"


class Escaping:
    """Escapes text for one model; ``names`` are its control tokens, ``is_known`` says that they are all."""

    def __init__(self, names: Iterable[str], *, is_known: bool = True) -> None:
        known = [re.escape(name) for name in sorted(names, key=len, reverse=True) if len(name) > 1]
        self._known = re.compile("|".join(known) or r"(?!)")
        self._any = re.compile(
            "|".join([*known, _ANY_NAME, *([] if is_known else [_NAMES_OF_UNKNOWN_MODELS])])
        )

    def render(self, prompt: Prompt) -> str:
        """The prompt's parts as one text, without ``forced``."""
        return "".join(part.name if isinstance(part, Special) else self.escape(part) for part in prompt.parts)

    def escape(self, text: str) -> str:
        """The user's text, with names of control tokens split, and without what cannot be encoded."""
        text = text if text.isascii() else text.encode("utf-8", "replace").decode()  # without lone surrogates
        return self._any.sub(lambda found: f"{found[0][0]}{BREAK}{found[0][1:]}", text)

    def unescape(self, text: str) -> str:
        """An answer with its escaped names restored.

        Source code does not need the zero-width character, which would go unnoticed in it.
        """
        return text.replace(BREAK, "") if BREAK in text else text

    def control_at(self, text: str) -> int | None:
        """The index at which the name of a control token begins in an answer; None if there is none.

        Most engines end there or omit the name; if one does neither, the answer's text ends there.
        """
        found = self._known.search(text)
        return found.start() if found else None


def split_infill(prompt: Prompt, fim: FimTokens) -> tuple[Prompt, Prompt] | None:
    """The text before and after the gap of an infilling prompt; None for a prompt of another kind.

    In either layout, the text after the middle token continues the text after the prefix token.
    """
    slots: dict[str, list[str | Special]] = {fim.prefix: [], fim.suffix: [], fim.middle: []}
    slot: list[str | Special] | None = None
    for part in prompt.parts:
        if isinstance(part, Special) and part.name in slots:
            slot = slots[part.name]
        elif slot is None:
            return None
        else:
            slot.append(part)
    if slot is None:
        return None
    return Prompt((*slots[fim.prefix], *slots[fim.middle])), Prompt(tuple(slots[fim.suffix]))
