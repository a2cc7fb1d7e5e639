"""The device and the dtype that are chosen, and what is said when there is none."""

from __future__ import annotations

import pytest
import torch

from copilot_server.engine.device import choose_device, choose_dtype
from copilot_server.errors import DeviceError

PRESENT = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}


def test_auto_is_the_fastest_device_that_is_present():
    assert choose_device("auto").type == next(name for name, is_present in PRESENT.items() if is_present)


@pytest.mark.parametrize("wanted", PRESENT)
def test_a_device_that_is_named_is_taken_or_an_error_names_the_others(wanted: str):
    if PRESENT[wanted]:
        assert choose_device(wanted).type == wanted
        return
    with pytest.raises(DeviceError, match="not available") as caught:
        choose_device(wanted)
    assert "cpu" in caught.value.remedy


def test_a_dtype_that_is_named_is_taken():
    cpu = torch.device("cpu")
    names = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    assert {name: choose_dtype(name, cpu) for name in names} == names


def test_auto_is_a_dtype_that_the_processor_computes():
    assert choose_dtype("auto", torch.device("cpu")) in {torch.float32, torch.bfloat16}
    assert choose_dtype("auto", torch.device("mps")) == torch.float16
