"""How the numbers of a run were computed, as a record that checkpoints keep and later starts compare."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Numerics:
    """What decides how numbers are rounded.

    machine: processor and instruction set, or GPU; threads: of the CPU; precision: "float32" or "bfloat16";
    deterministic: whether sums have one order; compiled: whether layers run through torch.compile.
    """

    machine: str
    threads: int
    precision: str
    deterministic: bool
    compiled: bool
    torch: str

    def changes(self, later: Numerics) -> str:
        """What a later run does otherwise, such as "threads: 1, not 2"; empty if nothing."""
        old, new = asdict(self), asdict(later)
        return ", ".join(f"{name}: {new[name]}, not {old[name]}" for name in old if new[name] != old[name])


def numerics_from(stored: dict | None) -> Numerics | None:
    """The record in a checkpoint; None in those that were written before there was one."""
    names = {field.name for field in fields(Numerics)}
    return Numerics(**stored) if stored and set(stored) == names else None
