"""Memory that runs out is one error with a remedy, by whichever name; every other error stays what it is."""

from __future__ import annotations

import pytest
import torch

from copilot_server.engine.memory import memory_errors
from copilot_server.errors import EngineError

OUT_OF_MEMORY = (
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
    RuntimeError("could not create a primitive"),
)
OTHERS = (RuntimeError("shapes do not match"), ValueError("can't allocate memory"), KeyError("x"))


@pytest.fixture(autouse=True)
def keep_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", torch.backends.mkldnn.enabled)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=str)
def test_memory_that_runs_out_is_an_error_with_a_remedy(error: Exception):
    with pytest.raises(EngineError, match=r"Memory ran out .* smaller model") as caught, memory_errors():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_any_other_error_passes_unchanged(error: Exception):
    with pytest.raises(type(error)) as caught, memory_errors():
        raise error
    assert caught.value is error


def test_onednn_is_switched_off_where_it_failed():
    """It remembers the kernels that it could not create, and would fail for ever."""
    torch.backends.mkldnn.enabled = True  # type: ignore[assignment]
    with pytest.raises(EngineError), memory_errors():
        raise torch.OutOfMemoryError
    assert torch.backends.mkldnn.enabled
    with pytest.raises(EngineError), memory_errors():
        raise RuntimeError("could not create a primitive")
    assert not torch.backends.mkldnn.enabled
