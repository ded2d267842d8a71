"""The peak memory of rays in both forms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate

import torch
from benchmark_tools import LARGE_CHUNK, Subject, say


def peak_of(work: Callable[[], object], device: torch.device) -> int:
    """Peak memory in bytes of the tensors that `work` makes."""
    work()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as recorded:
        work()
    changes = [one for one in recorded.profiler.kineto_results.events() if one.name() == "[memory]"]
    changes.sort(key=lambda one: one.start_ns())
    return max(accumulate(one.nbytes() for one in changes))


def peak_memory(given: Subject, device: torch.device) -> tuple[float, float]:
    """Ratios literal / ours of the peak memory of a chunk with semantics.

    The first ratio is for equal chunks, the second for LARGE_CHUNK rays in the literal form.
    """
    sources, maps = given.prepared(), given.literal_sources()
    large = given.with_rays(max(len(given.origins), LARGE_CHUNK))
    works = [partial(given.rays, sources, True)]
    works += [partial(form.literal, maps, True) for form in (given, large)]
    ours, literal, larger = (peak_of(work, device) / 2**20 for work in works)
    for what, each in (
        (f"published: peak of {len(given.origins)} rays", literal),
        ("  large chunks", larger),
    ):
        say(f"{what:36s} {ours:10.0f} {each:10.0f} {'MiB':8s} {each / ours:7.1f}")
    return literal / ours, larger / ours
