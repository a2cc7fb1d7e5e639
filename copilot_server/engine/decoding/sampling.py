"""Sampling the next token from logits: what a ``Choice`` means, in numpy."""

from __future__ import annotations

import hashlib
import secrets

import numpy as np
from numpy.typing import NDArray

from copilot_server.engine.base import Sampling
from copilot_server.engine.runner import Choice, Drawn

#: How far below the largest logit a token may lie, in nats at the choice's temperature, to be sorted with the
#: others. The first reach suffices for nearly all samples; the mass below the last one is negligible
#: (a vocabulary of 10^5 times e^-30 is 10^-8).
_REACHES = (6.0, 30.0)


class Uniforms:
    """One candidate's random numbers in [0, 1), by the position of the token that they decide.

    Each is a hash of seed, candidate and position, so that a candidate gets the same numbers however many are
    decoded beside it and in whichever order they are needed. Without a seed they are new every time.
    """

    def __init__(self, sampling: Sampling, candidate: int) -> None:
        seed = secrets.randbits(64) if sampling.seed is None else sampling.seed
        self._name = f"{seed}/{candidate}"

    def __getitem__(self, position: int) -> float:
        digest = hashlib.blake2b(f"{self._name}/{position}".encode(), digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) * 2.0**-53  # as many bits as a float holds


def sample_token(logits: NDArray[np.float32], choice: Choice) -> Drawn:
    """Sample a token from ``logits``, (vocab_size,), as ``choice`` says, with its log-probability."""
    token_id = choose_token(logits, choice)
    peak = logits.max()
    mass = np.exp(logits - peak).sum(dtype=np.float64)
    return Drawn(token_id, float(logits[token_id] - peak - np.log(mass)))


def choose_token(logits: NDArray[np.float32], choice: Choice) -> int:
    """The id of the token that is sampled from ``logits``, (vocab_size,), as ``choice`` says.

    At temperature 0 it is the likeliest token. Otherwise it is, in order of falling probability, the first
    token at which the cumulative mass exceeds ``uniform`` times that of the nucleus, which is the smallest
    set of likeliest tokens with ``top_p`` of the mass (Holtzman et al. 2020, arXiv:1904.09751, section 3.1).
    Equally likely tokens keep their order.
    """
    if choice.allowed is not None:
        allowed = np.asarray(choice.allowed)
        return int(allowed[_index(logits[allowed], choice)])
    return _index(logits, choice)


def _index(logits: NDArray[np.float32], choice: Choice) -> int:
    if choice.temperature == 0.0:
        return int(logits.argmax())
    scaled = (logits - logits.max()) / choice.temperature
    weights = np.exp(scaled)
    total = float(weights.sum(dtype=np.float64))
    # Once the likeliest tokens have this mass, the sampled token is among them.
    needed = total * (choice.top_p if choice.top_p < 1.0 else choice.uniform)
    for reach in _REACHES:
        indices = np.flatnonzero(scaled >= -reach)
        indices = indices[np.argsort(-scaled[indices], kind="stable")]  # falling; ties in order of id
        mass = np.cumsum(weights[indices], dtype=np.float64)
        if mass[-1] > needed:
            break
    last = len(mass) - 1
    nucleus = total if choice.top_p >= 1.0 else float(mass[min(int(np.searchsorted(mass, needed)), last)])
    index = int(np.searchsorted(mass, choice.uniform * nucleus, side="right"))
    return int(indices[min(index, last)])
