"""Guessing the next tokens from text that is already there, for the model to verify several at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

#: Stands between texts in an index; no token has this number.
GAP = -1


class PairIndex:
    """A growing text, and for each pair of tokens where in it the pair stands.

    The places of a pair are a chain from the latest back, as LZ77 coders keep them (RFC 1951, section 4),
    so that a token costs one look-up, however long the text is.
    """

    #: How many places of a pair are compared; a pair found more often says little.
    PLACES = 32
    #: A match of so many tokens is long enough: no longer one is looked for.
    LONG = 16

    def __init__(self, barriers: Iterable[int]) -> None:
        self._tokens: list[int] = []
        self._barriers = frozenset(barriers) | {GAP}
        self._latest: dict[tuple[int, int], int] = {}  # the place of a pair is that of its second token
        self._earlier: list[int] = []  # for each place the one before of the same pair, -1 for none

    def extend(self, token_ids: Iterable[int]) -> None:
        """Append to the text. A pair with a barrier in it is never found."""
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
        """Where the text's end stood before, by its last token's place, and how many tokens of it (0: none).

        Of equally long matches, the latest. A place that nothing follows but a barrier does not count.
        """
        best_place, best = -1, 0
        place = self._earlier[-1] if self._earlier else -1
        for _ in range(self.PLACES):
            if place < 0 or best >= self.LONG:
                break
            length = 0 if self._tokens[place + 1] in self._barriers else self._common_end(place)
            if length > best:
                best_place, best = place, length
            place = self._earlier[place]
        return best_place, best

    def following(self, place: int, count: int) -> list[int]:
        """Up to ``count`` tokens that follow a place, up to a barrier; past the end, they repeat."""
        found: list[int] = []
        size = len(self._tokens)
        for source in range(place + 1, place + 1 + count):
            token_id = self._tokens[source] if source < size else found[source - size]
            if token_id in self._barriers:
                break
            found.append(token_id)
        return found

    def _common_end(self, place: int) -> int:
        """How many tokens up to ``place`` are the same as those at the text's end."""
        tokens, last = self._tokens, len(self._tokens) - 1
        length = 0
        while length < self.LONG and length <= place and tokens[place - length] == tokens[last - length]:
            length += 1
        return length


class Drafter:
    """Drafts for one row: what followed where the text last stood as it stands now ("prompt lookup").

    Source: Saxena 2023, "Prompt Lookup Decoding" (github.com/apoorvumang/prompt-lookup-decoding). The model
    then draws a token in the place of each draft and one more, in one step, and a draft stands while it is
    the very token drawn. That is the rejection sampling of Leviathan et al. 2023 (arXiv:2211.17192) and Chen
    et al. 2023 (arXiv:2302.01318) for a draft model that is sure of each token: it accepts a draft with the
    model's own probability of it, so that nothing changes but the number of steps. Here each place has its
    own random number besides, so that even a sample is the very same with drafts and without.

    ``lookup``: the tokens of texts beside the prompt. ``control_ids``: tokens that are never drafted.
    """

    #: The most tokens written without a draft after drafts that were all wrong.
    LONGEST_PAUSE = 16

    def __init__(
        self, prompt_ids: Sequence[int], lookup: Iterable[Sequence[int]], control_ids: Collection[int]
    ) -> None:
        self._index = PairIndex(control_ids)
        for text in (*lookup, prompt_ids, _continued(prompt_ids, control_ids)):
            self._index.extend([GAP, *text])
        self._indexed = 0  # tokens of the output in the index
        self._misses = 0  # drafts in a row of which not even the first token was right
        self._pause = 0  # tokens still to write without a draft

    def draft(self, written: Sequence[int], most: int) -> list[int]:
        """Up to ``most`` tokens that may follow the prompt and ``written``, the row's tokens so far.

        A draft is as long as the match that it follows, so that it grows with each one that is right to its
        end, and begins anew, with the two tokens that a match has at least, after one that is not.
        """
        if self._pause > 0:
            self._pause -= 1
            return []
        self._index.extend(written[self._indexed :])
        self._indexed = len(written)
        place, matched = self._index.longest_match()
        return self._index.following(place, min(most, matched))

    def record(self, right: int) -> None:
        """Learn how many of the last draft's tokens were right.

        From the second draft in a row that was all wrong there is a pause, twice as long each time: the
        text is new here, and verifying costs something.
        """
        self._misses = 0 if right else self._misses + 1
        self._pause = min(2**self._misses // 4, self.LONGEST_PAUSE)


def _continued(prompt_ids: Sequence[int], control_ids: Collection[int]) -> Sequence[int]:
    """What the output goes on from: the end of the prompt, but in an infilling the end of the prefix.

    An infilling prompt is prefix, suffix and middle, each after a control token of its own. Where that is
    not what the last three control tokens mean, drafts may be wrong, and no more.
    """
    places = [place for place, token in enumerate(prompt_ids) if token in control_ids][-3:]
    if len(places) < 3:
        return prompt_ids[-PairIndex.LONG :]
    before, after, middle = places
    return [*prompt_ids[before + 1 : after], *prompt_ids[middle + 1 :]][-PairIndex.LONG :]
