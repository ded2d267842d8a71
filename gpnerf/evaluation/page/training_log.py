"""Training curves, read from the TensorBoard files of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.evaluation.page.content import Curve

FOLDERS = ("training/", "held_out/")
MOST_POINTS = 500


def read_curves(tensorboard_folder: Path) -> list[Curve]:
    """Reads the curves of training/ and held_out/, sorted by name; returns [] without event files.

    Long curves are thinned evenly to 500 points, including the first and the last. If a run
    and its resumption logged the same step, the later value counts.
    """
    # Imported here because it takes half a second.
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
