"""The scalars of a training run, from its TensorBoard files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.evaluation.page.content import Curve

FOLDERS = ("training/", "held_out/")
MOST_POINTS = 500


def read_curves(tensorboard_folder: Path) -> list[Curve]:
    """All curves of training/ and held_out/, by name; empty where the folder or its event files are missing.

    Long curves are thinned evenly to 500 points that include the first and the last. Where a run was resumed
    from an earlier step, the values written last count.
    """
    # Imported here: half a second that only reports with curves need.
    from tensorboard.backend.event_processing import event_accumulator

    events = event_accumulator.EventAccumulator(
        str(tensorboard_folder), size_guidance={event_accumulator.SCALARS: 0}
    )
    if not list(Path(tensorboard_folder).glob("events.out.tfevents.*")):
        return []
    events.Reload()
    names = sorted(name for name in events.Tags()["scalars"] if name.startswith(FOLDERS))
    return [_thinned(name, {event.step: event.value for event in events.Scalars(name)}) for name in names]


def _thinned(name: str, points: dict[int, float]) -> Curve:
    steps = sorted(points)
    kept = np.linspace(0, len(steps) - 1, min(len(steps), MOST_POINTS)).round().astype(int)
    chosen = [steps[index] for index in kept]
    return Curve(name, chosen, [points[step] for step in chosen])
