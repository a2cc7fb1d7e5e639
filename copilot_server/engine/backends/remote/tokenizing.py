"""The tokens of a remote engine's model: exact if its tokenizer is on this machine, else estimates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from copilot_server.catalog import Manifest
from copilot_server.engine.models.boundary import stable_length
from copilot_server.engine.models.gguf import described_path, unpacked_folder
from copilot_server.engine.models.words import estimate_tokens, word_starts
from copilot_server.fetch import cached_path


class RemoteTokens:
    """Counts a model's tokens and finds their boundaries, with its tokenizer or by estimate."""

    def __init__(self, manifest: Manifest) -> None:
        self.count: Callable[[str], int] = estimate_tokens
        self.stable_length: Callable[[str], int] = partial(stable_length, word_starts=word_starts)
        path = cached_path(manifest) if manifest.sources else None
        if path is None:
            return
        folders = [described_path(path), unpacked_folder(path)] if path.suffix == ".gguf" else [path]
        folder = next((one for one in folders if (one / "tokenizer.json").is_file()), None)
        if folder is None:
            return
        from copilot_server.engine.models.tokenizer import load_tokenizer  # noqa: PLC0415 - slow, seldom needed

        tokenizer = load_tokenizer(folder)
        self.count = lambda text: len(tokenizer.encode_text(text))
        self.stable_length = tokenizer.stable_length
