"""Whether a model is as large as its configuration says, before transformers takes memory for it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from copilot_server.engine.models.architecture import SIZES
from copilot_server.errors import ModelError

_LOG = logging.getLogger(__name__)

#: How a configuration may call its number of layers, for each of which transformers makes objects.
_LAYERS = frozenset({"num_hidden_layers", "num_layers", "n_layer", "n_layers"})
#: Weights of two bits are four to a byte; tables that are computed, such as masks, are in no file.
_WEIGHTS_PER_BYTE, _COMPUTED = 4, 2**26
_REMEDY = "Its configuration and its weights do not belong together: fetch the model again."


def check_size(folder: Path, files: list[Path]) -> None:
    """Compare the weights that the configuration in ``folder`` describes with the size of ``files``.

    Transformers makes up the weights that the files lack, so a few bytes could ask for any amount of memory.

    Raises:
        ModelError: it describes more layers than any model has, or more weights than the files can hold.
        OSError, ValueError: config.json cannot be read.
    """
    most = SIZES["layers"][1]
    for name, number in _numbers(json.loads((folder / "config.json").read_text("utf-8"))):
        if name in _LAYERS and not 0 <= number <= most:
            raise ModelError(f"The model in {folder} describes {number} layers.", remedy=_REMEDY)
    described, size = _described(folder), sum(file.stat().st_size for file in files)
    if described > size * _WEIGHTS_PER_BYTE + _COMPUTED:
        msg = f"The model in {folder} describes {described} weights, and its files have {size} bytes."
        raise ModelError(msg, remedy=_REMEDY)


def _numbers(tree: Any) -> Iterator[tuple[str, float]]:  # noqa: ANN401 - any JSON
    """Every number of a configuration and of those within it, by name."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from ((name, value) for name, value in one.items() if isinstance(value, int | float))
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _described(folder: Path) -> int:
    """How many numbers the model has in memory, from its configuration; 0 if transformers cannot tell."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    try:
        with torch.device("meta"):  # which takes no memory
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - a model that cannot be made there may still load
        _LOG.debug("the size of %s is not known: %r", folder.name, error)
        return 0
    return sum(one.numel() for one in (*model.parameters(), *model.buffers()))
