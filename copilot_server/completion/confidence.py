"""How likely it is that the first line of a suggestion is what the user is about to write.

A logistic model of the line's log-probabilities and of where the cursor stands decides; de Moor et al. 2024,
arXiv:2405.14753, use one for the same purpose. Its coefficients are in each model's manifest, and
``benchmarks/fit_gate.py`` finds them on repositories other than those that are reported on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from copilot_server.catalog import Gate
from copilot_server.completion.scope.scope import Scope
from copilot_server.completion.types import Candidate
from copilot_server.config import Eagerness
from copilot_server.context.brackets import PAIRS
from copilot_server.context.document import Cursor
from copilot_server.context.source.lexer import lex

#: A log-probability below this says no more than this one.
LOWEST_LOGPROB = -8.0

#: The share of a threshold that applies to the body of a function. There are many ways to begin one that does
#: what it should, so its first line seldom is the user's. Of the bodies that the gate of the 0.5B was fitted
#: with, this keeps every one whose first line is right, and withholds 3 of 10 others.
BODY_SHARE = 0.25

_WORD = re.compile(r"\w")


def features(cursor: Cursor, candidate: Candidate) -> dict[str, float]:
    """Return what the model of confidence looks at, by name.

    Log-probabilities are natural and those of the first line; lengths are logarithms of one more than a
    number of code points or tokens; the others are 0 or 1.
    """
    line = candidate.first_line
    logprobs = candidate.logprobs(len(line))
    before = cursor.line_prefix
    state = lex(before, language=cursor.document.language_id).state
    last = before.rstrip()[-1:]
    return {
        "mean_logprob": max(LOWEST_LOGPROB, sum(logprobs) / len(logprobs)),
        "sum_logprob": max(LOWEST_LOGPROB, sum(logprobs)),
        "worst_logprob": max(LOWEST_LOGPROB, min(logprobs)),
        "log_tokens": math.log1p(len(logprobs)),
        "log_length": math.log1p(len(line.strip())),
        "log_prefix": math.log1p(len(before.strip())),
        "at_line_start": float(not before.strip()),
        "after_opener": float(last in PAIRS),
        "after_dot": float(last == "."),
        "in_word": float(bool(_WORD.match(before[-1:]))),
        "in_string": float(bool(state.quote)),
        "in_comment": float(state.in_comment),
        "inside_line": float(bool(cursor.line_suffix.strip())),
    }


def is_likely(
    gate: Gate | None, eagerness: Eagerness, scope: Scope, cursor: Cursor, candidate: Candidate
) -> bool:
    """Whether a suggestion for ``scope`` is likely enough to be right to be shown while the user types.

    Without a model of confidence every one is.
    """
    if gate is None:
        return True
    least = threshold(gate, eagerness, scope)
    return least <= 0 or probability(gate, features(cursor, candidate)) >= least


def threshold(gate: Gate, eagerness: Eagerness, scope: str) -> float:
    """Return the probability from which a suggestion for ``scope`` is shown."""
    least: float = getattr(gate, eagerness)
    return least * BODY_SHARE if scope == "function" else least


def probability(gate: Gate, found: Mapping[str, float]) -> float:
    """Return the probability, from 0 to 1, that a model of confidence gives to features."""
    logit = gate.intercept + sum(weight * found[name] for name, weight in gate.weights.items())
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))
