"""Settings: their names, defaults and limits, and where they are read from."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen, validators

DEFAULT_MODEL = "qwen2.5-coder-0.5b"

Device = Literal["auto", "cuda", "mps", "cpu"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Protocol = Literal["auto", "fim", "causal", "chat-prefill"]


@frozen
class CompletionSettings:
    """What is asked of the model for one suggestion."""

    #: Most tokens of the document that the model reads; fewer make a first suggestion faster.
    max_prompt_tokens: int = field(default=1024, validator=[validators.ge(64), validators.le(131072)])
    #: Most tokens the model writes for one suggestion.
    max_new_tokens: int = field(default=256, validator=[validators.ge(1), validators.le(4096)])
    #: Candidates offered when the user asks by a key; a suggestion offered while typing is always one.
    candidates: int = field(default=3, validator=[validators.ge(1), validators.le(10)])
    #: Temperature of the candidates after the first, which is greedy.
    temperature: float = field(default=0.4, validator=[validators.ge(0.0), validators.le(2.0)])
    #: Nucleus of the candidates after the first.
    top_p: float = field(default=0.95, validator=[validators.gt(0.0), validators.le(1.0)])
    #: The prompt protocol; ``auto`` takes the one measured best for the model and the place.
    protocol: Protocol = "auto"


@frozen
class Settings:
    """Everything a user can set. The order of precedence: flags, the editor, the file, these defaults."""

    #: A model's id, a hub name, a folder or a ``.gguf`` file.
    model: str = DEFAULT_MODEL
    device: Device = "auto"
    dtype: Dtype = "auto"
    #: Never fetch anything: a model that is not on this machine is an error.
    offline: bool = False
    #: Offer suggestions at all.
    enabled: bool = True
    completion: CompletionSettings = field(factory=CompletionSettings)
