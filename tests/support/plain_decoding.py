"""Decoding that is obviously right: the whole text is computed anew for each token of each candidate."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from copilot_server.engine.base import Generation, GenerationRequest
from copilot_server.engine.decoding.candidate import Candidate
from copilot_server.engine.decoding.jobs import make_job
from copilot_server.engine.decoding.sampling import sample_token
from copilot_server.engine.models.tokenizer import Tokenizer


class PlainDecoding:
    """Generates with transformers in float32 on the CPU, without any cache or batch."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = Tokenizer(AutoTokenizer.from_pretrained(folder).backend_tokenizer)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self._answers: dict[GenerationRequest, list[Generation]] = {}

    def generate(self, request: GenerationRequest) -> list[Generation]:
        """Generate, or return the answer to an earlier request that was the same."""
        if request not in self._answers:
            self._answers[request] = self._generate(request)
        return self._answers[request]

    def _generate(self, request: GenerationRequest) -> list[Generation]:
        job = make_job(0, request, self.tokenizer, self._model.config.max_position_embeddings)
        for candidate in job.candidates:
            while candidate.finish_reason is None:
                self._write_token(job.prompt_ids, candidate)
        return job.generations()

    @torch.inference_mode()
    def _write_token(self, prompt_ids: list[int], candidate: Candidate) -> None:
        ids = torch.tensor([[*prompt_ids, *candidate.token_ids]])
        logits = self._model(ids, use_cache=False).logits[0, -1].numpy()
        [choice] = candidate.choices()
        candidate.accept(sample_token(logits, choice))
