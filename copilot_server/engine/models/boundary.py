"""Where a prompt may end: at a position that is a token boundary whatever text follows it.

A model has hardly ever seen a prompt that ends inside of what its tokenizer makes one token, such as ``csv.``
where the text goes on with ``reader``, and ``.reader`` is a token. What it then writes is unlikely: another
dot, or a space. The end of the text is therefore taken back to such a boundary, and the output is forced to
begin with what was taken back (token healing,
github.com/guidance-ai/guidance, notebooks/art_of_prompt_design/prompt_boundaries_and_token_healing).

A tokenizer first splits a text into words, by a pattern, and merges characters within a word only (Sennrich
et al. 2016, arXiv:1508.07909; the pattern is GPT-2's, Radford et al. 2019). A boundary of words is therefore
one of tokens, if the pattern puts it there whatever follows. That is found out by trying what may follow.
"""

from __future__ import annotations

from collections.abc import Callable

#: Returns the offset of each word's first character, in code points and in order.
WordStarts = Callable[[str], list[int]]

#: A longer end, such as a blob of data, is not a word. It stays in the prompt.
MAX_TAIL = 64
#: How far back words are looked for, in code points, if two lines are longer.
_REACH = 256
#: Among how many of the last words the boundary is looked for.
_WORDS = 4
#: A text of each kind that patterns tell apart: letters (one that ends a contraction), ideographs, digits, a
#: word after a space, more spaces, and punctuation.
_FOLLOWING = ("s", "中", "1", " s", "  ", "(")
#: The end of a line is another kind. It is not tried after blanks or another line end: no suggestion should
#: begin with a blank line, and to take back a line end would cost a token at each new line.
_WITH_LINE_END = (*_FOLLOWING, "\n")


def stable_length(text: str, word_starts: WordStarts) -> int:
    """Return the length of the longest beginning of ``text`` whose tokens are the same whatever follows it.

    It is all of ``text`` if no boundary is within the last ``MAX_TAIL`` code points.
    """
    first = _start_of_last_lines(text)
    starts = word_starts(text[first:])
    start = first + (starts[max(0, len(starts) - _WORDS)] if starts else 0)
    tail = text[start:]
    following = _FOLLOWING if tail[-1:].isspace() else _WITH_LINE_END
    splits = [word_starts(tail + one) for one in following]
    boundaries = (one for one in reversed(splits[0]) if one <= len(tail))
    length = start + next((one for one in boundaries if _is_stable(tail[:one], splits, word_starts)), 0)
    return length if len(text) - length <= MAX_TAIL else len(text)


def _is_stable(text: str, splits: list[list[int]], word_starts: WordStarts) -> bool:
    """Whether all ``splits`` begin with the words of ``text``, and with one that starts where it ends."""
    words = [*word_starts(text), len(text)]
    return all(starts[: len(words)] == words for starts in splits)


def _start_of_last_lines(text: str) -> int:
    """Return where the last two lines with a visible character begin, and any blank lines after them."""
    last = _start_of_last_line(text)
    return max(_start_of_last_line(text[:last]), len(text) - _REACH)


def _start_of_last_line(text: str) -> int:
    return text.rfind("\n", 0, len(text.rstrip())) + 1
