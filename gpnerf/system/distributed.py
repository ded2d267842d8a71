"""Processes started by torchrun: how they share work, wait for each other and sum tensors."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")

# How long processes wait for each other, e.g. while one makes rooms or indexes a data set.
PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Processes:
    """This process among all of a run.

    rank: 0 .. world-1; world: number of processes; local_rank: number of this process on its machine.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and logs."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Items of this process: every world-th one, beginning with number `rank`."""
        return items[self.rank :: self.world]

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Runs the body in the first process, and only then in the others, which find its files."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def as_first(self, decide: Callable[[], T]) -> T:
        """Calls `decide` in the first process alone and returns its answer in all of them."""
        return self.gather(decide() if self.is_first else None)[0]

    def wait(self) -> None:
        """Waits until all processes have called this."""
        if self.world > 1:
            dist.barrier()

    def any(self, wish: bool, device: torch.device) -> bool:
        """Whether `wish` is true in at least one process."""
        if self.world == 1:
            return wish
        flag = torch.tensor(float(wish), device=device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag.item())

    def gather(self, value: T) -> list[T]:
        """The values of all processes, in the order of their ranks."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def add_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Replaces every gradient by its sum over the processes; None stays where no process has one."""
        if self.world == 1:
            return
        present = torch.tensor([float(one.grad is not None) for one in parameters])
        parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        flat = torch.cat([present.to(parts[0].device), *(part.flatten() for part in parts)])
        dist.all_reduce(flat)
        present, *sums = flat.split([len(parameters), *(one.numel() for one in parameters)])
        for one, anywhere, total in zip(parameters, present.tolist(), sums, strict=True):
            one.grad = total.view_as(one) if anywhere else None

    def add(self, values: Tensor) -> Tensor:
        """Sums `values` over the processes, in place."""
        if self.world > 1:
            dist.all_reduce(values)
        return values


def join_processes(device_name: str) -> Processes:
    """Connects the processes that torchrun started, by its environment variables.

    Without the variables, this process is the only one. All processes but the first log only warnings and
    errors.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    on_cuda = device_name.startswith("cuda") or (device_name == "auto" and torch.cuda.is_available())
    local_rank = int(os.environ["LOCAL_RANK"])
    if on_cuda:
        torch.cuda.set_device(local_rank)
    dist.init_process_group("nccl" if on_cuda else "gloo", timeout=PATIENCE)
    if dist.get_rank() > 0:
        logging.getLogger().setLevel(logging.WARNING)
    return Processes(dist.get_rank(), dist.get_world_size(), local_rank)


def leave_processes() -> None:
    """Closes the connection between the processes, if there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
