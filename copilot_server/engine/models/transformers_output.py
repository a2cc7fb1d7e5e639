"""Silencing what transformers prints unasked."""

from __future__ import annotations

from transformers.utils import logging


def silence_transformers() -> None:
    """Turn off transformers' progress bars and advice; its errors remain.

    Call this before any other use of the library. In a server, its output would land in the editor's log.
    """
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
