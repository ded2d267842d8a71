"""What a training has used: sums over processes, and what budgets count."""

from __future__ import annotations

import time

import torch

from gpnerf.system.usage import Meter, cost


def test_a_meter_adds_to_what_earlier_processes_noted():
    earlier = {"seconds": 100.0, "core_seconds": 70.0, "peak_bytes": 2**50, "device": "cpu"}
    meter, start = Meter(torch.device("cpu"), earlier), time.process_time()
    while time.process_time() - start < 0.05:
        pass
    found = meter.read()
    assert 100.05 <= found["seconds"] < 200.0
    # The system counts in hundredths of a second.
    assert 70.03 < found["core_seconds"] < 71.0
    assert found["peak_bytes"] == 2**50
    # A process with torch holds more than 50 MB.
    assert Meter(torch.device("cpu")).read()["peak_bytes"] > 50 * 2**20


def test_a_budget_counts_cores_of_a_cpu_and_the_clock_of_a_gpu():
    usage = {"seconds": 60.0, "core_seconds": 110.0}
    assert cost({**usage, "device": "cpu"}) == 110.0
    assert cost({**usage, "device": "cuda"}) == 60.0
