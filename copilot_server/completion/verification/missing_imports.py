"""Adds an import of the standard library that a candidate lacks, where an example fails for want of it.

Models often write the body of a function as if its module had imported ``math`` already. What is added is
certain: a program has stopped at the name, and the standard library has one of that name. The examples then
say whether that is what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from copilot_server.completion.examples import Candidate, Verdicts

#: How many imports a candidate may get, each after a check.
MOST_IMPORTS = 3

_MODULES = (
    "base64 bisect calendar cmath collections copy datetime decimal fractions functools hashlib heapq"
    " itertools json math operator random re statistics string textwrap time typing unicodedata"
)
#: The names that are well known without their module.
_CONTENTS = {
    "bisect": "bisect_left bisect_right insort",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "copy": "deepcopy",
    "dataclasses": "dataclass",
    "decimal": "ROUND_HALF_UP Decimal",
    "enum": "Enum",
    "fractions": "Fraction",
    "functools": "cmp_to_key lru_cache partial reduce",
    "heapq": "heapify heappop heappush nlargest nsmallest",
    "itertools": "accumulate chain combinations groupby islice pairwise permutations product zip_longest",
    "math": "ceil comb factorial floor gcd isclose isqrt lcm log log10 log2 pi prod sqrt",
    "operator": "attrgetter itemgetter",
    "statistics": "mean median mode stdev",
    "string": "ascii_letters ascii_lowercase ascii_uppercase digits punctuation",
    "typing": "Any Callable Dict Iterable Iterator List Optional Set Tuple Union",
}
#: The import of each name.
STATEMENTS: Mapping[str, str] = {
    **{name: f"from {module} import {name}" for module, names in _CONTENTS.items() for name in names.split()},
    **{module: f"import {module}" for module in _MODULES.split()},
}

_UNDEFINED = re.compile(r"NameError: name '([^\W\d]\w*)' is not defined")


def check_with_imports(
    check: Callable[[Candidate], Verdicts], candidate: Candidate
) -> tuple[Candidate, Verdicts]:
    """Check a candidate, and as long as it lacks an import, also the one that has it.

    Returns:
        The candidate with the imports after which more examples pass, or as it was; and its verdicts.
    """
    verdicts = check(candidate)
    best, its = candidate, verdicts
    for _ in range(MOST_IMPORTS):
        with_one = with_missing_import(candidate, verdicts)
        if with_one is None:
            break
        candidate, verdicts = with_one, check(with_one)
        if len(verdicts.passed) > len(its.passed) and len(verdicts.failed) < len(its.failed):
            best, its = candidate, verdicts
    return best, its


def with_missing_import(candidate: Candidate, verdicts: Verdicts) -> Candidate | None:
    """Return the candidate with an import, as its first line, for want of which an example fails.

    None where none does, or the candidate does not begin a line.
    """
    for verdict in verdicts.failed:
        found = _UNDEFINED.search(verdict.detail)
        statement = STATEMENTS.get(found[1]) if found else None
        if found and statement and re.search(rf"\b{found[1]}\b", candidate.text):
            return _beginning_with(candidate, statement)
    return None


def _beginning_with(candidate: Candidate, statement: str) -> Candidate | None:
    code = candidate.text.lstrip()
    blank = candidate.text[: len(candidate.text) - len(code)]
    indentation = f"{candidate.document_text[: candidate.offset]}{blank}".rpartition("\n")[2]
    has_it = any(line.strip() == statement for line in code.splitlines())
    if indentation.strip() or has_it or code.startswith(('"""', "'''")):
        return None
    line_end = "\r\n" if "\r\n" in candidate.document_text else "\n"
    return replace(candidate, text=f"{blank}{statement}{line_end}{indentation}{code}")
