"""The files that hold a model's weights: safetensors alone, since a pickle may run code when it is read."""

from __future__ import annotations

import json
import re
from pathlib import Path

from copilot_server.errors import ModelError

#: A file of the folder itself, not one that a path leads to.
_NAME = re.compile(r"\w[\w.-]*\.safetensors")
_REMEDY = "Choose a model with weights in safetensors, or convert these with transformers' save_pretrained."


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of the model in a folder in transformers' format, in order.

    Raises:
        ModelError: it has none, or its index names a file of another kind or one that is elsewhere.
    """
    names = _names(folder)
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or not (folder / name).is_file():
            msg = f"{folder} has no file of weights in safetensors by the name {name!r}."
            raise ModelError(msg, remedy=_REMEDY)
    return [folder / name for name in sorted(names)]


def _names(folder: Path) -> set[str]:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return {"model.safetensors"}
    try:
        return set(json.loads(index.read_text("utf-8"))["weight_map"].values())
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        msg = f"{index} is not an index of weights in safetensors ({error!r})."
        raise ModelError(msg, remedy=_REMEDY) from error
