"""What the tables say of a row besides its scores: from its method, its recipe and its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import torch

from gpnerf.datasets.options import NOTHING as NO_LABELS
from gpnerf.methods.method import PHOTOGRAPH, Method
from gpnerf.methods.settings import Settings
from gpnerf.reproduction.plan import Row
from gpnerf.system.usage import cost

NOTHING = "–"
MINUTE = 60.0
# What gives the labels of a row that sees the true image of the test view.
TEST_IMAGE = "test photograph"
# The fields of a method's Function that say how many samples a ray has, pass by pass.
SAMPLES = ("samples", "fine_samples")


def model_of(row: Row) -> Method:
    """The model of a row without its weights, for the facts that depend on its settings."""
    classes = 0 if row.options.target == NO_LABELS else 1
    with torch.device("meta"):
        return Settings.from_options(row.options, classes).build()


def stated(row: Row, model: Method) -> dict[str, str]:
    """Facts that are known before the row is trained, by the titles of their columns."""
    views = row.options.num_source_views
    samples = [str(getattr(model.function, name)) for name in SAMPLES if getattr(model.function, name, 0)]
    return {
        "method": row.title,
        "setting": row.setting,
        "depth in training": model.trained_depth,
        "depth at test": "source views" if model.needs_depth else "no",
        "source policy": row.options.view_metric if views else NOTHING,
        "views": str(views),
        "samples": " + ".join(samples) or NOTHING,
        "labels from": TEST_IMAGE if row.options.segment == PHOTOGRAPH else "rendering",
    }


def measured(cells: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Facts from the records of a row's cells, by the titles of their columns."""
    runs = [cell["training"] for cell in cells]
    seconds = [cell["seconds_per_view"] for cell in cells if cell["seconds_per_view"] is not None]
    # A head has as many outputs as a scene has objects, so that sizes may differ by scene.
    sizes = sorted({run["parameters"] for run in runs})
    return {
        "parameters": " to ".join(f"{one:,}" for one in sizes[:: max(1, len(sizes) - 1)]) or NOTHING,
        "steps": ", ".join(f"{one:,}" for one in sorted({run["steps"] for run in runs})) or NOTHING,
        "core-minutes": _minutes(runs) if runs else NOTHING,
        "core-s / view": f"{fmean(seconds):.2f}" if seconds else NOTHING,
        "seeds": str(len({cell["seed"] for cell in cells})),
    }


def _minutes(runs: Sequence[Mapping[str, Any]]) -> str:
    """Minutes of a training, after those of the training from which it starts."""
    own = fmean(cost(run["usage"]) for run in runs) / MINUTE
    before = [cost(run["start"]["usage"]) for run in runs if run["start"]]
    return f"{fmean(before) / MINUTE:.1f} + {own:.1f}" if before else f"{own:.1f}"
