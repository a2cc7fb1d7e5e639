"""No name in this project's own code is said not to exist, and many are known to exist."""

from __future__ import annotations

import pytest

from benchmarks.missing_names import judge
from tests.support.paths import REPOSITORY


@pytest.mark.long
def test_the_names_in_this_projects_own_code_exist():
    counts, wrong, _ = judge(REPOSITORY, every=3, limit=1_000)
    assert wrong == []
    assert counts["exist"] > 1_000


def test_the_names_in_a_few_of_its_files_exist():
    counts, wrong, _ = judge(REPOSITORY, every=20, limit=80)
    assert wrong == []
    assert counts["exist"] > 20
