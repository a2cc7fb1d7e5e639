"""The configuration and the tokenizer of a Qwen2 model in a GGUF file, in the format of transformers.

transformers reads them too, with torch and in half a minute. For any other model that is the only way.
Source of the names: github.com/ggml-org/ggml, docs/gguf.md; of the tokenizer: Qwen2's own tokenizer.json.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from copilot_server.engine.models.gguf_data import SAMPLE, are_one_matrix, dequantized, rows_of
from copilot_server.engine.models.gguf_header import Header, check_sizes, read_header, write_table
from copilot_server.engine.models.tokenizer_limits import library_errors
from copilot_server.errors import ModelError

#: The arrays that make a tokenizer, and the types of the tokens that merges never make.
_TOKENS, _MERGES, _TYPES = (f"tokenizer.ggml.{name}" for name in ("tokens", "merges", "token_type"))
_CONTROL, _USER_DEFINED = 3, 4
#: How Qwen2 splits text before it merges characters.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def describe(gguf: Path, folder: Path) -> bool:
    """Write ``config.json``, ``tokenizer.json`` and the table of tensors into a folder.

    Returns:
        False, and nothing is written, if the file is no Qwen2 model with Qwen2's tokenizer.

    Raises:
        ModelError: it is one and damaged.
    """
    try:
        with gguf.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = read_header(data, (_TOKENS, _MERGES, _TYPES))
        if not _is_qwen2(header):
            return False
        check_sizes(header, len(data))
        config = _config(header, tied=_is_tied(header, data))
        with library_errors():
            tokenizer = _tokenizer(header.values)
    except Exception as error:  # the tokenizers library raises nothing narrower
        msg = f"{gguf} is not a GGUF file that can be read ({error})."
        raise ModelError(msg, remedy="Fetch the file again, or name another one.") from error
    (folder / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    write_table(header, folder)
    return True


def _is_qwen2(header: Header) -> bool:
    known = {
        "general.architecture": "qwen2",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
    }
    about = {name: header.values.get(name) for name in known}
    scaled = any(name.startswith("qwen2.rope.scaling") for name in header.values)
    begins = header.values.get("tokenizer.ggml.add_bos_token", False)
    return about == known and not scaled and not begins


def _config(header: Header, *, tied: bool) -> dict[str, Any]:
    values = {name.removeprefix("qwen2."): value for name, value in header.values.items()}
    hidden, vocabulary = header.tensors["token_embd.weight"].shape
    return {
        "model_type": "qwen2",
        "architectures": ["Qwen2ForCausalLM"],
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": values["feed_forward_length"],
        "max_position_embeddings": values["context_length"],
        "num_attention_heads": values["attention.head_count"],
        "num_hidden_layers": values["block_count"],
        "num_key_value_heads": values["attention.head_count_kv"],
        "rms_norm_eps": values["attention.layer_norm_rms_epsilon"],
        "rope_parameters": {"rope_theta": values.get("rope.freq_base", 10000.0), "rope_type": "default"},
        "tie_word_embeddings": tied,
        "use_sliding_window": False,
        "vocab_size": vocabulary,
    }


def _is_tied(header: Header, data: mmap.mmap) -> bool:
    """Whether the head is the embedding, which the file may have as well."""
    names = ("output.weight", "token_embd.weight")
    entries = [(name, header.tensors[name]) for name in names if name in header.tensors]
    if len(entries) < len(names):
        return True
    if len({entry.shape for _, entry in entries}) > 1:
        return False
    head, embedding = (dequantized(rows_of(*one, data)[SAMPLE], one[1].kind) for one in entries)
    return are_one_matrix(head, embedding)


def _tokenizer(values: Mapping[str, Any]) -> Tokenizer:
    tokens: list[str] = values[_TOKENS]
    merges = [tuple(merge.split(" ")) for merge in values[_MERGES]]
    vocabulary = {token: id_ for id_, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, continuing_subword_prefix="", end_of_word_suffix=""))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0", pair="$A:0 $B:1", special_tokens=[]
    )
    kinds = zip(tokens, values[_TYPES], strict=True)
    tokenizer.add_tokens(
        [
            AddedToken(token, normalized=False, special=kind == _CONTROL)
            for token, kind in kinds
            if kind in (_CONTROL, _USER_DEFINED)
        ]
    )
    return tokenizer
