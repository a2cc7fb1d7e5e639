"""The runner on transformers: any causal language model, computed by the library's own code."""

from __future__ import annotations

import copy
import gc
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from copilot_server.engine.backends.transformers.kv_cache import (
    Batch,
    CachedSequence,
    cache_of,
    layers_of,
    leave_batch,
    make_batch,
    new_cache,
    unchanged_on_error,
)
from copilot_server.engine.decoding.sampling import sample_token
from copilot_server.engine.runner import Choice, Chunk, Drawn, check_token_ids
from copilot_server.errors import EngineError

#: Prompt tokens to read at once, by device type; on a CPU they take about a second.
PREFILL_CHUNKS = {"cpu": 256}
DEFAULT_PREFILL_CHUNK = 1024

MAX_SEQUENCES = 256


class TransformersRunner:
    """Implements ``Runner`` with a model's own ``forward``.

    Sequences that take one token each are computed together, padded on the left to one length. A prompt is
    read by itself. What a model's cache cannot give back, such as a recurrent state cut to an earlier length,
    is computed again from the tokens.
    """

    def __init__(self, model: PreTrainedModel, *, context_length: int, max_tokens: int) -> None:
        """Create a runner without sequences.

        Args:
            model: The model, on its device and in evaluation mode.
            context_length: The most tokens that a sequence can have.
            max_tokens: The most tokens that all sequences can have together.
        """
        self._model = model
        self._vocabulary_size = _embedding_rows(model)
        self._context_length = context_length
        self._max_tokens = max_tokens
        self._sequences: dict[int, CachedSequence] = {}
        self._opened = 0
        self._batch: Batch | None = None

    @property
    def model(self) -> PreTrainedModel:
        """The model itself, for measuring and checking it."""
        return self._model

    @property
    def device(self) -> str:
        """The torch device, as ``cpu`` or ``cuda:0``."""
        return str(self._model.device)

    @property
    def dtype(self) -> str:
        """The number format of the weights, as ``float32``."""
        return str(self._model.dtype).removeprefix("torch.")

    @property
    def context_length(self) -> int:
        """See ``Runner.context_length``."""
        return self._context_length

    @property
    def notices(self) -> Sequence[str]:
        """See ``Runner.notices``."""
        return ()

    @property
    def max_sequences(self) -> int:
        """See ``Runner.max_sequences``."""
        return MAX_SEQUENCES

    @property
    def free_tokens(self) -> int:
        """See ``Runner.free_tokens``."""
        used = sum(len(sequence.token_ids) for sequence in self._sequences.values())
        return max(0, self._max_tokens - used)

    @property
    def prefill_chunk(self) -> int:
        """See ``Runner.prefill_chunk``."""
        return PREFILL_CHUNKS.get(self._model.device.type, DEFAULT_PREFILL_CHUNK)

    @property
    def draft_length(self) -> int:
        """See ``Runner.draft_length``; transformers decodes token by token."""
        return 0

    def open(self) -> int:
        """See ``Runner.open``."""
        return self._add(CachedSequence(new_cache(self._model.config)))

    def fork(self, sequence: int, length: int) -> int:
        """See ``Runner.fork``; the fork shares the memory of the original."""
        original = self._sequences[sequence]
        cached = min(length, original.cached)
        copied = CachedSequence(new_cache(self._model.config), original.token_ids[:length])
        if original.is_sliceable:
            copied.cache, copied.cached = cache_of(layers_of(original, cached)), cached
        elif cached == original.cached:
            copied.cache, copied.cached = copy.deepcopy(original.cache), cached
        return self._add(copied)

    def truncate(self, sequence: int, length: int) -> None:
        """See ``Runner.truncate``."""
        self._cut(self._sequences[sequence], length)

    def close(self, sequence: int) -> None:
        """See ``Runner.close``."""
        closed = self._sequences.pop(sequence)
        if self._batch is not None and closed.row is not None:
            self._batch.members.remove(closed)
            if not self._batch.members:
                self._batch = None

    def step(self, chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        """See ``Runner.step``."""
        before = {chunk.sequence: len(self._sequences[chunk.sequence].token_ids) for chunk in chunks}
        self._check_room(chunks)
        check_token_ids(chunks, self._vocabulary_size)
        with torch.inference_mode():
            try:
                for chunk in chunks:
                    self._sequences[chunk.sequence].token_ids += chunk.token_ids
                return self._compute(chunks)
            except BaseException:
                for number, length in before.items():
                    self._cut(self._sequences[number], length)
                raise

    def release(self) -> None:
        """See ``Runner.release``."""
        on_gpu = self._model.device.type == "cuda"
        self._sequences.clear()
        self._batch = None
        del self._model
        gc.collect()
        if on_gpu:
            torch.cuda.empty_cache()

    def _add(self, sequence: CachedSequence) -> int:
        if len(self._sequences) >= MAX_SEQUENCES:
            msg = f"All {MAX_SEQUENCES} sequences of the KV cache are in use."
            raise EngineError(msg, remedy="Ask for fewer candidates or a smaller batch at once.")
        self._opened += 1
        self._sequences[self._opened] = sequence
        return self._opened

    def _check_room(self, chunks: Sequence[Chunk]) -> None:
        if (needed := sum(len(chunk.token_ids) for chunk in chunks)) > self.free_tokens:
            msg = f"The KV cache of {self._max_tokens} tokens has no room for {needed} more."
            remedy = "Lower completion.max_prompt_tokens or the batch, or choose a smaller model."
            raise EngineError(msg, remedy=remedy)

    def _cut(self, sequence: CachedSequence, length: int) -> None:
        """Forget all but the first ``length`` tokens, and what the cache holds of the others."""
        del sequence.token_ids[length:]
        if sequence.cached <= length:
            return
        if not sequence.is_sliceable:
            sequence.cache, sequence.cached = new_cache(self._model.config), 0
            return
        if sequence.row is None:
            sequence.cache.crop(length - sequence.cached)
        sequence.cached = length

    def _compute(self, chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        """Compute the tokens that are not cached yet, and sample after them."""
        logits: dict[int, torch.Tensor] = {}
        together = [chunk.sequence for chunk in chunks if self._can_join_batch(chunk.sequence)]
        if len(together) > 1:
            logits = dict(zip(together, self._step_together(together), strict=True))
        for chunk in chunks:
            if chunk.sequence not in logits:
                logits[chunk.sequence] = self._step_alone(chunk.sequence, max(1, len(chunk.choices)))
        return [_sample(logits[chunk.sequence], chunk.choices) for chunk in chunks]

    def _can_join_batch(self, number: int) -> bool:
        """Whether a sequence lacks one token only, and its cache can be padded."""
        sequence = self._sequences[number]
        return 0 < sequence.cached == len(sequence.token_ids) - 1 and sequence.is_sliceable

    def _step_alone(self, number: int, keep: int) -> torch.Tensor:
        """Compute what is not cached of one sequence; the logits after its last ``keep`` tokens."""
        sequence = self._sequences[number]
        if sequence.row is not None and self._batch is not None:
            self._batch.members.remove(sequence)
            leave_batch(sequence, copy=False)
        length = len(sequence.token_ids)
        ids = self._tensor([sequence.token_ids[sequence.cached :]])
        positions = self._tensor([range(sequence.cached, length)])
        try:
            logits = self._forward(sequence.cache, ids, positions, mask=None, keep=keep)
        except BaseException:
            if not sequence.is_sliceable:  # its states are those of half a step
                sequence.cache, sequence.cached = new_cache(self._model.config), 0
            raise
        sequence.cached = length
        return logits[0]

    def _step_together(self, numbers: Sequence[int]) -> torch.Tensor:
        """Compute the last token of each sequence; the logits after it, (sequences, 1, vocab_size)."""
        sequences = [self._sequences[number] for number in numbers]
        batch = self._batch_of(sequences)
        lengths = self._tensor([[len(one.token_ids)] for one in sequences])  # (sequences, 1)
        width = batch.width + 1
        mask = None  # which spares the model building one, where nothing is padded
        if any(len(one.token_ids) < width for one in sequences):
            columns = torch.arange(width, device=self._model.device)
            mask = (columns >= width - lengths).long()  # (sequences, width): 1 for a token, 0 for padding
        ids = self._tensor([one.token_ids[-1:] for one in sequences])
        logits = self._forward(batch.cache, ids, lengths - 1, mask=mask, keep=1)
        for sequence in sequences:
            sequence.cached += 1
        return logits

    def _batch_of(self, sequences: Sequence[CachedSequence]) -> Batch:
        """The batch of exactly these sequences: the last step's, if it still is."""
        last = self._batch
        if last is not None and last.holds(sequences):
            return last
        chosen = {id(sequence) for sequence in sequences}
        for sequence in last.members if last is not None else ():
            if id(sequence) not in chosen:
                leave_batch(sequence, copy=True)
        self._batch = make_batch(sequences)
        return self._batch

    def _forward(
        self,
        cache: DynamicCache,
        ids: torch.Tensor,
        positions: torch.Tensor,
        *,
        mask: torch.Tensor | None,
        keep: int,
    ) -> torch.Tensor:
        """Append tokens, (rows, tokens), to a cache; the logits after the last ``keep`` in float32."""
        with unchanged_on_error(cache):
            output = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=keep,
            )
        logits: torch.Tensor = output.logits
        return logits[:, -keep:].float().cpu()

    def _tensor(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        return torch.tensor([list(row) for row in rows], device=self._model.device)


def _embedding_rows(model: PreTrainedModel) -> int:
    return len(model.get_input_embeddings().get_parameter("weight"))


def _sample(logits: torch.Tensor, choices: Sequence[Choice]) -> list[Drawn]:
    """Sample as ``choices`` say from the last of the logits, (tokens, vocab_size)."""
    rows = logits[len(logits) - len(choices) :].numpy()
    return [sample_token(row, choice) for row, choice in zip(rows, choices, strict=True)]
