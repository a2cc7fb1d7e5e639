"""Parsing with tree-sitter, with a limit to the work that a source may cost.

For some sources the work grows with the square of the length: before each line that has only a comment, the
scanner of Python's grammar reads on to the next line of code. And a parser that has the whole source lets no
other thread run until it has ended. Here it asks for the source in pieces, and others run at each of them.
"""

from __future__ import annotations

from tree_sitter import Language, Node, Parser

#: The work of a parse, in hundreds of the parser's steps: at least so much, and so much for a byte. Sources
#: that compile need a hundred steps for 65 bytes; broken ones may need any number.
MIN_STEPS, STEPS_PER_BYTE = 1_000, 0.05
#: How much a parser reads at once, in bytes, and how often: at least so often, and so often for a byte. Those
#: that compile are read once or twice; the lexer may read broken ones from any place to their end.
READ_BYTES, MIN_READS, READS_PER_BYTE = 1_024, 2_000, 0.02


class _Work:
    """Reads a source for a parser, and counts what the parser does with it."""

    def __init__(self, source: bytes, factor: int) -> None:
        self._source = source
        self._steps = MIN_STEPS + int(len(source) * STEPS_PER_BYTE * factor)
        self._reads = MIN_READS + int(len(source) * READS_PER_BYTE)

    def read(self, offset: int, _point: object) -> bytes:
        self._reads -= 1
        return self._source[offset : offset + READ_BYTES] if self._reads >= 0 else b""

    def is_too_much(self, _offset: int = 0, _has_error: bool = False) -> bool:  # noqa: FBT001, FBT002
        """Count a hundred steps; return whether the work ends here."""
        self._steps -= 1
        return self._steps < 0 or self._reads < 0


def parse(source: bytes, language: Language, factor: int = 1) -> Node | None:
    """Parse a source, broken or not; None if it takes more work than its length allows.

    ``factor``: how many times ``STEPS_PER_BYTE`` the steps for a byte may be.
    """
    work = _Work(source, factor)
    try:
        tree = Parser(language).parse(work.read, progress_callback=work.is_too_much)
    except ValueError:
        return None
    if work.is_too_much():
        return None
    # The nodes of this tree would read their texts through ``work``, from a source that has an end by now. A
    # parser that is given the tree and the whole source takes the nodes over, and has little to do.
    return Parser(language).parse(source, old_tree=tree).root_node
