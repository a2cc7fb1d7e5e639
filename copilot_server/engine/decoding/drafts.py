"""Drafts: guesses of the next tokens, taken from known text, of which a step verifies several at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

#: Stands between texts in an index; no token has this number.
GAP = -1


class PairIndex:
    """A growing text and, for each pair of tokens, the positions at which the pair occurs in it.

    The positions of a pair form a chain from the latest to the earliest, as in LZ77 coders (RFC 1951,
    section 4), so that appending a token costs one look-up, however long the text is.
    """

    #: How many positions of a pair are compared; a more frequent pair predicts little.
    MAX_POSITIONS = 32
    #: The length in tokens at which the search for a longer match ends.
    LONG = 16

    def __init__(self, barriers: Iterable[int]) -> None:
        self._tokens: list[int] = []
        self._barriers = frozenset(barriers) | {GAP}
        self._latest: dict[tuple[int, int], int] = {}  # the position of a pair is that of its second token
        self._earlier: list[int] = []  # for each position the previous one of the same pair, or -1

    def extend(self, token_ids: Iterable[int]) -> None:
        """Append to the text. A pair that contains a barrier is never found."""
        previous = self._tokens[-1] if self._tokens else GAP
        for token_id in token_ids:
            earlier = -1
            if token_id not in self._barriers and previous not in self._barriers:
                pair = (previous, token_id)
                earlier = self._latest.get(pair, -1)
                self._latest[pair] = len(self._tokens)
            self._tokens.append(token_id)
            self._earlier.append(earlier)
            previous = token_id

    def longest_match(self) -> tuple[int, int]:
        """The longest earlier occurrence of the text's end: the position of its last token, and its length.

        The length, in tokens, is 0 if there is none. Of equally long matches the latest wins. A match that is
        followed by a barrier does not count.
        """
        best_position, best = -1, 0
        position = self._earlier[-1] if self._earlier else -1
        for _ in range(self.MAX_POSITIONS):
            if position < 0 or best >= self.LONG:
                break
            length = 0 if self._tokens[position + 1] in self._barriers else self._common_end(position)
            if length > best:
                best_position, best = position, length
            position = self._earlier[position]
        return best_position, best

    def following(self, position: int, count: int) -> list[int]:
        """Up to ``count`` tokens that follow a position, up to a barrier; past the end they repeat."""
        found: list[int] = []
        size = len(self._tokens)
        for source in range(position + 1, position + 1 + count):
            token_id = self._tokens[source] if source < size else found[source - size]
            if token_id in self._barriers:
                break
            found.append(token_id)
        return found

    def _common_end(self, position: int) -> int:
        """How many tokens up to ``position`` equal those at the text's end."""
        tokens, last = self._tokens, len(self._tokens) - 1
        length = 0
        while (
            length < self.LONG and length <= position and tokens[position - length] == tokens[last - length]
        ):
            length += 1
        return length


class Drafter:
    """Drafts for one candidate: what followed the last earlier occurrence of its end ("prompt lookup").

    Source: Saxena 2023, "Prompt Lookup Decoding" (github.com/apoorvumang/prompt-lookup-decoding). In one step
    the model then samples a token at the position of each draft and one more, and a draft is accepted as long
    as it is the very token sampled. That is the rejection sampling of Leviathan et al. 2023
    (arXiv:2211.17192) and Chen et al. 2023 (arXiv:2302.01318) for a draft model that is certain of each
    token: a draft is accepted with the model's own probability of it, so that only the number of steps
    changes. Since each position has its own random number here, even a sampled text is the same with drafts
    and without.

    ``lookup``: the tokens of texts beside the prompt. ``control_ids``: tokens that are never drafted.
    """

    #: The most tokens that are decoded without drafts after drafts that were all wrong.
    LONGEST_PAUSE = 16

    def __init__(
        self, prompt_ids: Sequence[int], lookup: Iterable[Sequence[int]], control_ids: Collection[int]
    ) -> None:
        self._index = PairIndex(control_ids)
        for text in (*lookup, prompt_ids, _continued(prompt_ids, control_ids)):
            self._index.extend([GAP, *text])
        self._indexed = 0  # tokens of the output in the index
        self._misses = 0  # consecutive drafts of which not even the first token was right
        self._pause = 0  # how many more tokens to decode without drafts
        #: The tokens of the match that the last draft followed.
        self.matched = 0

    def draft(self, written: Sequence[int], worthwhile: Callable[[int], int]) -> list[int]:
        """Tokens that may follow the prompt and ``written``, the candidate's tokens so far.

        ``worthwhile``: how many tokens to draft at most after a match of so many tokens. ``matched`` says how
        long the match was.
        """
        if self._pause > 0:
            self._pause -= 1
            return []
        self._index.extend(written[self._indexed :])
        self._indexed = len(written)
        position, matched = self._index.longest_match()
        self.matched = matched
        return self._index.following(position, worthwhile(matched)) if matched else []

    def record(self, right: int) -> None:
        """Learn how many of the last draft's tokens were right.

        From the second consecutive draft on that was all wrong there is a pause, twice as long each time: the
        text is new here, and verification is not free.
        """
        self._misses = 0 if right else self._misses + 1
        self._pause = min(2**self._misses // 4, self.LONGEST_PAUSE)


def _continued(prompt_ids: Sequence[int], control_ids: Collection[int]) -> Sequence[int]:
    """The text that the output continues: the end of the prompt or, when infilling, of the prefix.

    An infilling prompt consists of prefix, suffix and middle, each after a control token. Where the last
    three control tokens mean something else, the only harm is that drafts are wrong.
    """
    positions = [position for position, token in enumerate(prompt_ids) if token in control_ids][-3:]
    if len(positions) < 3:
        return prompt_ids[-PairIndex.LONG :]
    before, after, middle = positions
    return [*prompt_ids[before + 1 : after], *prompt_ids[middle + 1 :]][-PairIndex.LONG :]
