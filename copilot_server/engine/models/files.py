"""What is checked of the files of a model before anything opens them."""

from __future__ import annotations

import stat
from pathlib import Path

from copilot_server.errors import ModelError

#: The files in JSON that are read whole, and the largest of them: several times the largest published one.
_JSON = frozenset(
    {
        "added_tokens.json",
        "chat_template.json",
        "config.json",
        "generation_config.json",
        "model.safetensors.index.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    }
)
MOST_JSON_BYTES = 256 << 20


def check_files(path: Path) -> None:
    """Refuse a model's folder or file that cannot be read to an end.

    A pipe blocks whoever opens it, and a link may lead to a device that gives bytes forever. Links to regular
    files are as good as files: caches of models consist of them. What is not there is left to who needs it.

    Raises:
        ModelError: it, or a file in it, is neither a regular file nor a folder, or has too much JSON.
    """
    try:
        for one in [path, *path.iterdir()] if path.is_dir() else [path]:
            if one.exists():
                _check(one)
    except OSError as error:
        msg = f"{path} cannot be read ({error})."
        raise ModelError(msg, remedy="Check its permissions.") from error


def _check(path: Path) -> None:
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        msg = f"{path} is neither a file nor a folder."
        raise ModelError(msg, remedy="Remove it, or fetch the model again.")
    if path.name in _JSON and status.st_size > MOST_JSON_BYTES:
        msg = f"{path} has {status.st_size / 1e6:.0f} MB, far more than such a file of any model."
        raise ModelError(msg, remedy="Fetch the model again, or choose another.")
