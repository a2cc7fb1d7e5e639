"""Planning the requests of a run, and the random numbers of each."""

from __future__ import annotations

from copilot_server.evaluation.sampling import CHUNK, SamplingPlan, plan_requests
from copilot_server.evaluation.types import SamplingRequest, Task


def task(name: str) -> Task:
    return Task(name, name, "def f():\n", "", "    pass\n", "f", "def check(f): pass")


def test_many_samples_are_requested_in_chunks():
    requests = plan_requests([task("a")], [0.8], 2 * CHUNK + 3)
    assert [(request.first, request.count) for request in requests] == [
        (0, CHUNK),
        (CHUNK, CHUNK),
        (2 * CHUNK, 3),
    ]


def test_what_a_sample_depends_on():
    """The seed, the task, the temperature and the chunk, but not the number of samples in it."""

    def seed(name: str = "a", temperature: float = 0.8, first: int = 0, count: int = 5, seed: int = 0) -> int:
        sampling = SamplingPlan(seed, 0.95, 64, 32).sampling(
            SamplingRequest(task(name), temperature, first, count)
        )
        assert sampling.n == count
        assert sampling.seed is not None
        return sampling.seed

    others = [seed("b"), seed(temperature=0.2), seed(first=CHUNK), seed(seed=1)]
    assert seed() == seed(count=9)
    assert len({seed(), *others}) == 5
