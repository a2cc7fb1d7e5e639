"""What its vocabulary reveals about a model that no manifest describes."""

from __future__ import annotations

from attrs import evolve

from copilot_server.catalog import FimTokens, Manifest
from copilot_server.engine.base import Engine, Special

#: Families of infilling tokens, by the models that introduced them.
FIM_FAMILIES = (
    FimTokens("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen2.5-Coder, CodeGemma
    FimTokens("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder, Granite
    FimTokens("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # DeepSeek-Coder
)


def detect_fim(manifest: Manifest, engine: Engine) -> Manifest:
    """The manifest, with infilling added to plain continuation where the vocabulary has tokens for it."""
    if manifest.protocols.known != ("causal",):
        return manifest
    for fim in FIM_FAMILIES:
        if all(engine.knows(Special(name)) for name in (fim.prefix, fim.suffix, fim.middle)):
            protocols = evolve(manifest.protocols, known=("causal", "fim"), middle="fim")
            return evolve(manifest, fim=fim, protocols=protocols)
    return manifest
