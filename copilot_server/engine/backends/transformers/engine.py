"""The engine on torch and transformers: prefill, then token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from transformers import PreTrainedModel

from copilot_server.engine.backends.transformers.batch import Batch
from copilot_server.engine.backends.transformers.memory import memory_errors
from copilot_server.engine.base import Cancel, Generation, GenerationRequest, Special
from copilot_server.engine.decoding.jobs import Job, make_job
from copilot_server.engine.decoding.rows import Row
from copilot_server.engine.decoding.sampling import draw
from copilot_server.engine.models.tokenizer import Tokenizer

OnDone = Callable[[int, list[Generation]], None]


class TorchEngine:
    """Decodes with any causal language model of transformers."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: Tokenizer, context_length: int, notices: Sequence[str] = ()
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._context_length = context_length
        self._notices = tuple(notices)

    @property
    def device(self) -> str:
        """The torch device, as ``cpu`` or ``cuda:0``."""
        return str(self._model.device)

    @property
    def dtype(self) -> str:
        """The dtype of the weights, as ``float32``."""
        return str(self._model.dtype).removeprefix("torch.")

    @property
    def context_length(self) -> int:
        """The most tokens that prompt and completion may have together."""
        return self._context_length

    @property
    def notices(self) -> Sequence[str]:
        """See ``Engine.notices``."""
        return self._notices

    @property
    def model(self) -> PreTrainedModel:
        """The model itself, for whoever measures or checks it."""
        return self._model

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self._tokenizer

    def knows(self, special: Special) -> bool:
        """Whether the model's vocabulary has this control token."""
        return self._tokenizer.knows(special)

    def count_tokens(self, text: str) -> int:
        """How many tokens ``text`` is, control tokens in it read as plain text."""
        return len(self._tokenizer.encode_text(text))

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """See ``Engine.generate``."""
        return self.generate_batch([request], cancel)[0]

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: OnDone | None = None,
        *,
        batch_size: int = 16,
    ) -> list[list[Generation]]:
        """See ``Engine.generate_batch``."""
        jobs = [
            make_job(index, request, self._tokenizer, self._context_length)
            for index, request in enumerate(requests)
        ]
        with memory_errors(), torch.inference_mode():
            for group in _groups_of_like_length(jobs, batch_size):
                for job in self._decode(group, cancel):
                    if on_done is not None:
                        on_done(job.index, job.generations())
        return [job.generations() for job in jobs]

    def close(self) -> None:
        """See ``Engine.close``."""
        self._model.to("meta")  # type: ignore[arg-type]

    def _decode(self, jobs: Sequence[Job], cancel: Cancel) -> Iterator[Job]:
        """Prefill, then a token for each unfinished row at a time; yields each job when it is done."""
        batch = Batch(self._model, [job.prompt_ids for job in jobs])
        rows = [row for job in jobs for row in job.rows]
        logits = batch.prefill(cancel)
        if logits is not None:
            logits = batch.fork(logits, [len(job.rows) for job in jobs])
        pending = list(jobs)
        while True:
            _choose_tokens(rows, logits, cancel)
            yield from (job for job in pending if job.is_done)
            pending = [job for job in pending if not job.is_done]
            if not pending:
                return
            keep = [i for i, row in enumerate(rows) if row.finish_reason is None]
            if len(keep) < len(rows):  # a finished row leaves the batch at once
                batch.select(keep)
                rows = [rows[i] for i in keep]
            logits = batch.step([row.token_ids[-1] for row in rows])


def _choose_tokens(rows: Sequence[Row], logits: torch.Tensor | None, cancel: Cancel) -> None:
    """Write the next token of each row; none when cancelled, which finishes every row."""
    if logits is None or cancel.is_set():
        for row in rows:
            row.cancel()
        return
    for row, row_logits in zip(rows, logits.float().cpu().numpy(), strict=True):
        row.accept(draw(row_logits, row.choices()[0]))


def _groups_of_like_length(jobs: Sequence[Job], size: int) -> Iterator[Sequence[Job]]:
    """Batches of at most ``size`` rows (or one job) whose prompts are about as long as each other.

    So little of a batch is padding.
    """
    group: list[Job] = []
    for job in sorted(jobs, key=lambda job: len(job.prompt_ids)):
        if group and sum(len(one.rows) for one in group) + len(job.rows) > size:
            yield group
            group = []
        group.append(job)
    if group:
        yield group
