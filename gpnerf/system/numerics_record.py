"""How the numbers of a run were computed, as a record that checkpoints keep and later starts compare."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Numerics:
    """What decides how numbers are rounded.

    machine: processor and instruction set, or GPU; threads: of the CPU; precision: "float32" or "bfloat16";
    deterministic: whether sums have one order; compiled: whether layers run through torch.compile; torch,
    numpy, opencv: versions. None: unknown, in records that are older than the field.
    """

    machine: str
    threads: int
    precision: str
    deterministic: bool
    compiled: bool
    torch: str
    numpy: str | None = None
    opencv: str | None = None

    def changes(self, later: Numerics) -> str:
        """What a later run does otherwise, such as "threads: 1, not 2"; empty if nothing that is known."""
        old, new = asdict(self), asdict(later)
        changed = [name for name in old if old[name] is not None and new[name] != old[name]]
        return ", ".join(f"{name}: {new[name]}, not {old[name]}" for name in changed)


def numerics_from(stored: dict | None) -> Numerics | None:
    """The record in a checkpoint; None in those that were written before there was one."""
    if not stored:
        return None
    return Numerics(**{field.name: stored[field.name] for field in fields(Numerics) if field.name in stored})
