"""An engine in a process of its own, which makes one measurement for each line of its input.

``engines.Worker`` starts it. A line is a JSON object with ``op``, the name of a public method below, and the
arguments of that method. The answer is a line of JSON.
Usage: python -m benchmarks.bench.worker drafts|plain|bfloat16|float32 MODEL
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from copilot_server.bench.stopwatch import StopwatchEngine, Timing
from copilot_server.catalog import resolve
from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import Settings, SpeedSettings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine import details
from copilot_server.engine.base import GenerationRequest, Prompt, Sampling
from copilot_server.engine.models.vocabulary import detect_fim

Values = dict[str, Any]


class Ours:
    """Our engine by itself and with the pipeline."""

    def __init__(self, model: str, *, drafts: bool) -> None:
        settings = Settings(model=model, offline=True, speed=SpeedSettings(drafts=drafts))
        self._plain = open_pipeline(settings).engine
        self._engine = StopwatchEngine(self._plain)
        manifest = detect_fim(resolve(model).manifest, self._plain)
        self._pipeline = Pipeline(self._engine, manifest, settings.completion)

    def about(self) -> Values:
        """Return the device, the number format, the number of threads and the instruction set."""
        return {
            "device": self._plain.device,
            "dtype": self._plain.dtype,
            "threads": details.threads(self._plain),
            "instruction_set": details.instruction_set(self._plain),
        }

    def text(self, text: str, new_tokens: int) -> Values:
        """Continue a text; return its ``Timing`` if there was a token."""
        return _values(self._engine.time(_request(text, new_tokens)))

    def position(self, uri: str, text: str, offset: int) -> Values:
        """Complete at a cursor; return the ``Timing`` if the model ran and there was a token."""
        before = len(self._engine.timings)
        self._pipeline.complete(CompletionRequest(Cursor(Document(uri, "python", text), offset)), _never())
        return _values(self._engine.timings[-1] if len(self._engine.timings) > before else None)

    def streams(self, texts: list[str], new_tokens: int) -> Values:
        """Continue all texts at the same time; return the number of tokens and the seconds."""
        requests = [_request(text, new_tokens) for text in texts]
        start = time.perf_counter()
        answers = self._plain.generate_batch(requests, _never(), batch_size=len(texts))
        wall_s = time.perf_counter() - start
        return {"tokens": sum(len(answer[0].token_ids) for answer in answers), "wall_s": wall_s}

    def counters(self) -> Values:
        """Return the counters of the decoding loop, if it has any."""
        counters = getattr(self._plain, "counters", None)
        return {} if counters is None else dataclasses.asdict(counters)


class Transformers:
    """``transformers.generate``, greedy, on the weights in ``folder``."""

    def __init__(self, folder: Path, dtype: str) -> None:
        import torch  # noqa: PLC0415
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415
        from transformers.utils import logging  # noqa: PLC0415

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]

        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
        self._model.train(mode=False)
        self._model.generation_config.eos_token_id = None  # the bench measures all tokens

    def about(self) -> Values:
        """Return the number format."""
        return {"dtype": str(self._model.dtype).removeprefix("torch.")}

    def text(self, text: str, new_tokens: int) -> Values:
        """Continue a text; return its ``Timing``, which a stopping criterion records after each token."""
        stamps: list[float] = []

        def stamp(ids: Any, _scores: object) -> Any:  # noqa: ANN401 - tensors
            stamps.append(time.perf_counter())
            return ids.new_zeros(ids.shape[0], dtype=bool)

        start = time.perf_counter()
        inputs = self._tokenizer(text, return_tensors="pt")
        self._model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=new_tokens,
            stopping_criteria=[stamp],
            pad_token_id=0,
        )
        size = inputs["input_ids"].shape[1]
        return _values(Timing(size, stamps[0] - start, len(stamps), stamps[-1] - stamps[0], ""))


def _request(text: str, new_tokens: int) -> GenerationRequest:
    return GenerationRequest(Prompt((text,)), Sampling(max_new_tokens=new_tokens))


def _values(timing: Timing | None) -> Values:
    return {} if timing is None else dataclasses.asdict(timing)


def _never() -> threading.Event:
    return threading.Event()


def _subject(kind: str, model: str) -> Ours | Transformers:
    if kind in ("drafts", "plain"):
        return Ours(model, drafts=kind == "drafts")
    return Transformers(Path(model), kind)


def main() -> None:
    """Serve until stdin ends. The output of libraries goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    subject = _subject(*sys.argv[1:3])
    for line in sys.stdin:
        asked = json.loads(line)
        measure: Callable[..., Values] = getattr(subject, asked.pop("op"))
        answers.write(json.dumps(measure(**asked)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
