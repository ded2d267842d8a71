"""Record of how a run's numbers are rounded, kept in its checkpoints and compared when it is resumed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Numerics:
    """What decides how numbers are rounded.

    machine: processor and instruction set, or GPU; threads: CPU threads; precision: "float32" or "bfloat16";
    deterministic: whether sums have one order; compiled: whether layers run through torch.compile; torch,
    numpy, opencv: versions, None (unknown) in records older than the field.
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
        """Lists the known fields that a later run changes, such as "threads: 1, not 2"; empty if none."""
        old, new = asdict(self), asdict(later)
        changed = [name for name in old if old[name] is not None and new[name] != old[name]]
        return ", ".join(f"{name}: {new[name]}, not {old[name]}" for name in changed)


def numerics_from(stored: dict | None) -> Numerics | None:
    """Record of a checkpoint; None for checkpoints that are older than the record."""
    if not stored:
        return None
    return Numerics(**{field.name: stored[field.name] for field in fields(Numerics) if field.name in stored})
