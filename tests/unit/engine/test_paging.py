"""The block allocator: what sequences hold is never lost, shared, or given away twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from copilot_server.engine.paging import BlockAllocator
from copilot_server.errors import EngineError

SIZE = 4


def allocator(*, block_count: int = 8, max_sequences: int = 4, max_length: int = 32) -> BlockAllocator:
    return BlockAllocator(
        block_count=block_count, block_size=SIZE, max_sequences=max_sequences, max_length=max_length
    )


def state(blocks: BlockAllocator, *sequences: int) -> tuple[object, ...]:
    """Everything that a failed reservation must leave alone."""
    held = [(blocks.length(one), list(blocks.blocks(one))) for one in sequences]
    return blocks.free_blocks, blocks.free_tokens, held


def test_a_sequence_takes_a_block_for_each_started_size_tokens():
    blocks = allocator()
    sequence = blocks.open()
    taken = []
    for _ in range(9):
        assert blocks.reserve([(sequence, 1)]) == []
        taken.append(len(blocks.blocks(sequence)))
    assert taken == [1, 1, 1, 1, 2, 2, 2, 2, 3]
    assert blocks.length(sequence) == 9
    assert blocks.free_blocks == 5


def test_blocks_are_numbered_from_the_first_and_the_latest_freed_is_reused():
    blocks = BlockAllocator(block_count=3, block_size=SIZE, max_sequences=2, max_length=32, first_block=5)
    sequence = blocks.open()
    blocks.reserve([(sequence, 2 * SIZE)])
    assert list(blocks.blocks(sequence)) == [5, 6]
    blocks.truncate(sequence, SIZE)
    blocks.reserve([(sequence, 1)])
    assert list(blocks.blocks(sequence)) == [5, 6]


def test_blocks_that_are_added_come_after_the_others():
    blocks = allocator(block_count=2, max_length=64)
    sequence = blocks.open()
    blocks.reserve([(sequence, 2 * SIZE)])
    with pytest.raises(EngineError, match="no room"):
        blocks.reserve([(sequence, 1)])
    blocks.grow(3)
    assert (blocks.capacity, blocks.free_blocks) == (5 * SIZE, 3)
    blocks.reserve([(sequence, 3 * SIZE)])
    assert list(blocks.blocks(sequence)) == [0, 1, 2, 3, 4]


def test_a_fork_shares_blocks_and_takes_none():
    blocks = allocator()
    original = blocks.open()
    blocks.reserve([(original, 10)])
    free = blocks.free_blocks
    fork = blocks.fork(original, 6)
    assert blocks.free_blocks == free
    assert list(blocks.blocks(fork)) == list(blocks.blocks(original))[:2]
    blocks.close(original)
    assert blocks.free_blocks == free + 1  # only the block that the fork does not share
    blocks.close(fork)
    assert blocks.free_blocks == 8


def test_the_first_to_write_into_a_shared_block_gets_a_copy():
    blocks = allocator()
    original = blocks.open()
    blocks.reserve([(original, 6)])
    fork = blocks.fork(original, 6)
    shared = blocks.blocks(original)[-1]
    [(source, target)] = blocks.reserve([(fork, 1)])
    assert source == shared
    assert list(blocks.blocks(fork)) == [blocks.blocks(original)[0], target]
    assert blocks.reserve([(original, 1)]) == []  # by now the block is its own
    assert blocks.blocks(original)[-1] == shared


def test_a_fork_at_a_full_block_copies_nothing():
    blocks = allocator()
    original = blocks.open()
    blocks.reserve([(original, 2 * SIZE)])
    fork = blocks.fork(original, 2 * SIZE)
    assert blocks.reserve([(fork, 1), (original, 1)]) == []
    assert blocks.blocks(fork)[-1] != blocks.blocks(original)[-1]


def test_no_tokens_copy_nothing():
    blocks = allocator()
    original = blocks.open()
    blocks.reserve([(original, 6)])
    blocks.fork(original, 6)
    before = state(blocks, original)
    assert blocks.reserve([(original, 0)]) == []
    assert state(blocks, original) == before


def test_a_reservation_happens_whole_or_not_at_all():
    blocks = allocator()
    first, second = blocks.open(), blocks.open()
    blocks.reserve([(first, 6), (second, 6)])
    before = state(blocks, first, second)
    with pytest.raises(EngineError, match="no room for 20 more") as caught:
        blocks.reserve([(first, 9), (second, 11)])
    assert caught.value.remedy
    assert state(blocks, first, second) == before
    assert blocks.reserve([(first, 10), (second, 10)]) == []  # one block less fits exactly


def test_a_copy_counts_as_a_block():
    blocks = allocator(block_count=2)
    original = blocks.open()
    blocks.reserve([(original, 6)])
    fork = blocks.fork(original, 6)
    before = state(blocks, original, fork)
    with pytest.raises(EngineError, match="no room for 1 more"):
        blocks.reserve([(fork, 1)])
    assert state(blocks, original, fork) == before
    blocks.close(original)
    assert blocks.reserve([(fork, 1)]) == []


def test_no_sequence_grows_past_the_longest_length():
    blocks = allocator(max_length=10)
    sequence = blocks.open()
    blocks.reserve([(sequence, 8)])
    with pytest.raises(EngineError, match="11 tokens is too long for a window of 10"):
        blocks.reserve([(sequence, 3)])
    assert blocks.length(sequence) == 8
    blocks.reserve([(sequence, 2)])


@pytest.mark.parametrize("begin", [BlockAllocator.open, lambda blocks: blocks.fork(0, 0)])
def test_too_many_sequences_are_an_error_that_changes_nothing(begin: Callable[[BlockAllocator], int]):
    blocks = allocator(max_sequences=2)
    first, second = blocks.open(), blocks.open()
    blocks.reserve([(first, 3)])
    before = state(blocks, first, second)
    with pytest.raises(EngineError, match="All 2 sequences"):
        begin(blocks)
    assert state(blocks, first, second) == before
    blocks.close(second)
    assert begin(blocks) == second  # a free number is used again


@pytest.mark.parametrize("length", [-1, 7])
def test_a_cut_that_is_no_beginning_is_refused(length: int):
    blocks = allocator()
    sequence = blocks.open()
    blocks.reserve([(sequence, 6)])
    before = state(blocks, sequence)
    with pytest.raises(ValueError, match="has 6 tokens"):
        blocks.truncate(sequence, length)
    with pytest.raises(ValueError, match="has 6 tokens"):
        blocks.fork(sequence, length)
    assert state(blocks, sequence) == before
    blocks.truncate(sequence, 6)
    assert state(blocks, sequence) == before


class PagedMemory(RuleBasedStateMachine):
    """Blocks as a backend would hold them: every written token is unique, and read back after each step."""

    @initialize(
        block_count=st.integers(1, 12),
        size=st.integers(1, 5),
        max_sequences=st.integers(1, 4),
        max_length=st.integers(1, 40),
        first_block=st.integers(0, 2),
    )
    def create(
        self, block_count: int, size: int, max_sequences: int, max_length: int, first_block: int
    ) -> None:
        self.size, self.max_length, self.block_count = size, max_length, block_count
        self.numbers = range(first_block, first_block + block_count)
        self.blocks = BlockAllocator(
            block_count=block_count,
            block_size=size,
            max_sequences=max_sequences,
            max_length=max_length,
            first_block=first_block,
        )
        self.memory = {block: [-1] * size for block in self.numbers}
        self.texts: dict[int, list[int]] = {}
        self.tokens = count()

    @rule()
    def open(self) -> None:
        if len(self.texts) < self.blocks.max_sequences:
            self.texts[self.blocks.open()] = []
        else:
            with pytest.raises(EngineError):
                self.blocks.open()

    @precondition(lambda self: self.texts and len(self.texts) < self.blocks.max_sequences)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        original, length = self._beginning(data)
        self.texts[self.blocks.fork(original, length)] = self.texts[original][:length]

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        sequence, length = self._beginning(data)
        self.blocks.truncate(sequence, length)
        del self.texts[sequence][length:]

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.texts)))
        self.blocks.close(sequence)
        del self.texts[sequence]

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.texts)), min_size=1, unique=True))
        wanted = [(sequence, data.draw(st.integers(0, 9))) for sequence in chosen]
        before = self._state()
        promised = sum(tokens for _, tokens in wanted) <= self.blocks.free_tokens
        short = all(len(self.texts[one]) + tokens <= self.max_length for one, tokens in wanted)
        try:
            copies = self.blocks.reserve(wanted)
        except EngineError:
            assert not (promised and short)
            assert self._state() == before
            return
        assert short
        assert not {source for source, _ in copies} & {target for _, target in copies}
        for source, target in copies:
            self.memory[target] = list(self.memory[source])
        for sequence, tokens in wanted:
            self._append(sequence, tokens)

    def _append(self, sequence: int, tokens: int) -> None:
        blocks = self.blocks.blocks(sequence)
        for _ in range(tokens):
            index, token = len(self.texts[sequence]), next(self.tokens)
            self.memory[blocks[index // self.size]][index % self.size] = token
            self.texts[sequence].append(token)

    def _beginning(self, data: st.DataObject) -> tuple[int, int]:
        sequence = data.draw(st.sampled_from(sorted(self.texts)))
        return sequence, data.draw(st.integers(0, len(self.texts[sequence])))

    def _state(self) -> tuple[object, ...]:
        return state(self.blocks, *sorted(self.texts))

    @invariant()
    def every_sequence_reads_what_was_written_into_it(self) -> None:
        for sequence, text in self.texts.items():
            cells = [cell for block in self.blocks.blocks(sequence) for cell in self.memory[block]]
            assert self.blocks.length(sequence) == len(text)
            assert cells[: len(text)] == text
            assert len(cells) - len(text) < self.size

    @invariant()
    def every_block_is_free_or_in_use(self) -> None:
        users = Counter(block for sequence in self.texts for block in self.blocks.blocks(sequence))
        assert set(users) <= set(self.numbers)
        assert self.blocks.free_blocks == self.block_count - len(users)
        assert 0 <= self.blocks.free_tokens <= self.blocks.free_blocks * self.size
        assert all(len(set(self.blocks.blocks(one))) == len(self.blocks.blocks(one)) for one in self.texts)


PagedMemory.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, derandomize=True, deadline=None
)
TestPagedMemory = pytest.mark.slow(PagedMemory.TestCase)
