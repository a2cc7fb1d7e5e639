"""What a tokenizer may do with a text.

Whoever made a model decides on it, and a few lines of tokenizer.json could fill the memory or stop a thread.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tokenizers import Tokenizer as FastTokenizer

from copilot_server.errors import CopilotServerError, EngineError

#: Characters that all replacements of a tokenizer may make of one. Those of published ones replace a
#: character by another, most often a space.
MOST_GROWTH = 1024
#: The longest token; published vocabularies have runs of up to a few hundred spaces.
MOST_CHARACTERS = 4096


def check_limits(fast: FastTokenizer, vocabulary: Iterable[str] | None = None) -> None:
    """Refuse a tokenizer with replacements that multiply a text, or with tokens of no model's length.

    ``vocabulary``: its tokens, where they are known; to list them takes a tenth of a second.

    Raises:
        ValueError: it has them.
    """
    for part in (fast.normalizer, fast.pre_tokenizer, fast.decoder):
        inserted = _inserted(json.loads(part.__getstate__())) if part is not None else ()
        # A pattern may match between any two characters, which are then kept.
        growth = math.prod(len(text) + 1 for text in inserted)
        if growth > MOST_GROWTH:
            raise ValueError(f"its replacements make up to {growth} characters of one")
    tokens = fast.get_vocab(with_added_tokens=True) if vocabulary is None else vocabulary
    longest = max(map(len, tokens), default=0)
    if longest > MOST_CHARACTERS:
        raise ValueError(f"it has a token of {longest} characters")


@contextmanager
def library_errors() -> Iterator[None]:
    """Turn what the tokenizers library raises over a text into an EngineError.

    It panics, which is no ``Exception``, where a regular expression of tokenizer.json takes too many steps,
    and raises nothing narrower than ``Exception`` where the vocabulary lacks a token that it needs.
    """
    try:
        yield
    except CopilotServerError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        msg = f"The model's tokenizer cannot read this text ({error})."
        raise EngineError(msg, remedy="Choose another model, or report this to those who made it.") from error


def _inserted(tree: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Every text that a part of a tokenizer puts in place of another, or before one."""
    if isinstance(tree, dict):
        yield from (tree[key] for key in ("content", "prepend") if isinstance(tree.get(key), str))
    for below in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _inserted(below)
