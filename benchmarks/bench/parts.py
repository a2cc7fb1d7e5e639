"""The parts of a run in order. Each starts its servers, measures, and ends them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.bench import venvs
from benchmarks.bench.corpus import choose_passages
from benchmarks.bench.engines import (
    NEW_TOKENS,
    PROMPT_TOKENS,
    STREAM_NEW_TOKENS,
    STREAM_PROMPT_TOKENS,
    STREAMS,
    Subject,
    Worker,
    drafted,
    in_turns,
    llamacpp_subject,
    unseen_texts,
)
from benchmarks.bench.humaneval import same_prompts, self_test
from benchmarks.bench.llamacpp import LlamaCpp
from benchmarks.bench.ours import LspServer
from benchmarks.bench.prompts import PromptBook
from benchmarks.bench.recording import Sitting, in_a_hurry, make_recording
from benchmarks.bench.results import Results
from benchmarks.bench.vllm import Asked, Vllm
from copilot_server.provenance import cores


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured, and how much.

    Attributes:
        model: its id, folder or file.
        gguf: the file of the model, or None if it has none that llama.cpp could run.
        folder: the same weights in safetensors.
        seed: of all random choices.
        functions: the number of functions in the recording.
        keys: the number of keys in each function.
        rounds: the number of texts that each engine reads.
        drafted_positions: the number of positions at which drafts are measured.
        problems: the number of HumanEval problems; None for all.
        transformers: whether transformers is measured beside us, which takes minutes.
    """

    model: str
    gguf: Path | None
    folder: Path
    seed: int
    functions: int
    keys: int
    rounds: int
    drafted_positions: int
    problems: int | None
    transformers: bool = True


class Bench:
    """A run: its options and its results so far."""

    def __init__(self, options: Options, book: PromptBook) -> None:
        self.options = options
        self.results = Results()
        self.versions: dict[str, str] = {}
        self._book = book

    def typing(self) -> None:
        """Measure the patient replay, and the start and the memory of our server."""
        options = self.options
        passages = choose_passages(options.functions, options.seed)
        with self._ours():
            pass  # prepares what later starts find
        with self._ours() as ours, self._llamacpp() as llamacpp:
            self.results.single["ready_s"] = ours.ready_s
            sitting = Sitting(passages, options.seed, options.keys)
            self.results.recording = make_recording(ours, llamacpp, self._book, sitting)
            self.results.single["rss_mb"] = ours.rss_mb
            self.results.single["llamacpp_rss_mb"] = None if llamacpp is None else llamacpp.rss_mb

    def hurry(self) -> None:
        """Measure the hurried replay of the recording with new servers."""
        recording = self.results.recording
        with self._ours() as ours, self._llamacpp() as llamacpp:
            functions = recording.shared or recording.ours
            self.results.hurried = in_a_hurry(ours, llamacpp, self._book, functions)

    def engines(self) -> None:
        """Measure reading and writing in turns."""
        options = self.options
        with ExitStack() as running:
            subjects: dict[str, Subject] = {
                "ours": running.enter_context(Worker("plain", options.model)).speed_twice
            }
            if (llamacpp := running.enter_context(self._llamacpp())) is not None:
                subjects["llama.cpp"] = llamacpp_subject(llamacpp)
            for dtype in ("bfloat16", "float32") if options.transformers else ():
                subjects[dtype] = running.enter_context(Worker(dtype, str(options.folder))).speed
            texts = unseen_texts(self._book, PROMPT_TOKENS, options.seed)
            in_turns(subjects, [next(texts)[:500]], 4)  # warms up
            self.results.engines = in_turns(subjects, list(islice(texts, options.rounds)), NEW_TOKENS)

    def drafts(self) -> None:
        """Measure drafts where the recording used the model, and 32 streams at the same time."""
        options = self.options
        asked = [
            one.step.position for one in self.results.recording.every if one.answer.by_model is not False
        ]
        every = max(1, len(asked) // options.drafted_positions)
        with Worker("drafts", options.model) as worker:
            self.results.drafted = drafted(worker, asked[::every])
            done = worker.ask("streams", texts=self._stream_texts(), new_tokens=STREAM_NEW_TOKENS)
            self.results.single["streams_tok_s"] = done["tokens"] / done["wall_s"]

    def humaneval(self) -> None:
        """Run the self-test."""
        self.results.self_test = self_test(self.options.model, self.options.problems)

    def vllm(self) -> None:
        """Measure the same streams with vLLM, and HumanEval's prompts if the self-test has run."""
        streams = [Asked(text, STREAM_NEW_TOKENS, to_the_end=True) for text in self._stream_texts()]
        with Vllm(venvs.vllm_python(), self.options.folder, cores()) as server:
            self.versions["vllm"] = server.version()
            server.complete_all(streams[:2])  # warms up
            tokens, wall_s = server.complete_all(streams)
            self.results.single["vllm_streams_tok_s"] = tokens / wall_s
            if self.results.self_test is not None:
                prompts = same_prompts(self._book, self.results.self_test.completions)
                self.results.single["vllm_humaneval_wall_s"] = server.complete_all(prompts)[1]

    def first_start(self) -> None:
        """Measure the start with a model file from which nothing has been prepared."""
        if self.options.gguf is None:
            return
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / self.options.gguf.name
            shutil.copyfile(self.options.gguf, path)
            server = LspServer(["--model", str(path)])
            self.results.single["ready_first_s"] = server.ready_s
            server.close()

    def _stream_texts(self) -> list[str]:
        texts = unseen_texts(self._book, STREAM_PROMPT_TOKENS, self.options.seed + 1)
        return list(islice(texts, STREAMS))

    @contextmanager
    def _ours(self) -> Iterator[LspServer]:
        server = LspServer(["--model", self.options.model, "--offline"])
        try:
            yield server
        finally:
            server.close()

    @contextmanager
    def _llamacpp(self) -> Iterator[LlamaCpp | None]:
        if self.options.gguf is None:
            yield None
            return
        server = LlamaCpp(venvs.llamacpp_python(), self.options.gguf, cores())
        self.versions["xllamacpp"] = server.version
        try:
            yield server
        finally:
            server.close()
