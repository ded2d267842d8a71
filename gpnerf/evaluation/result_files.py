"""The files of an evaluation: a record per view while it runs, then views.csv, metrics.json and table.md."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpnerf.evaluation.results import TITLES, EvaluationResult, SceneResult, ViewResult, overall
from gpnerf.evaluation.scene_table import NOTES, scene_table
from gpnerf.evaluation.table import facts_line, markdown_rows
from gpnerf.media.arrays import read_array
from gpnerf.media.images import read_image, resize_values, write_image
from gpnerf.metrics.consistency import Agreement
from gpnerf.metrics.linking import Segments
from gpnerf.metrics.panoptic import COLUMNS, renumbered
from gpnerf.rendering.view import RenderedView
from gpnerf.system.errors import DataError
from gpnerf.system.files import write_whole

# Files of a view, in the folder of its pictures: its record, and rendered labels as numbers; for a model that
# finds instances, their ids and the rendered depth.
RECORD, LABELS, IDS, DEPTH = "scores.json", "label_ids.png", "instance_ids.png", "depth.npy"
# Written when all views are finished: how far labels agree with the next view, and ids in the scene.
NEXT, SCENE_IDS = "next_view.json", "scene_ids.json"
# The tables of a record.
TABLES = ("overlaps", "view_overlaps")


def save_view(folder: Path, result: ViewResult, key: str, seconds: float | None = None) -> None:
    """Writes the record of a view to its folder.

    key: changes with anything that decides its scores. seconds: that its rendering took, as `usage.cost`
    counts them.
    """
    values = {"made_by": key, "seconds": seconds, "scores": result.scores, "confusion": None}
    if result.confusion is not None:
        cells = result.confusion.nonzero()
        counts = result.confusion[cells[:, 0], cells[:, 1]]
        values["confusion"] = [len(result.confusion), cells.tolist(), counts.tolist()]
    for name in TABLES:
        table = getattr(result, name)
        values[name] = None if table is None else table.tolist()
    # Those of an earlier rendering number other segments.
    (folder / SCENE_IDS).unlink(missing_ok=True)
    write_whole(folder / RECORD, json.dumps(values))


def load_view(folder: Path, scene: str, view: str, key: str | None = None) -> ViewResult | None:
    """Reads the record of a view; returns None if it is missing, damaged or has another key.

    key: the key to accept; None accepts any.
    """
    try:
        values = json.loads((folder / RECORD).read_text())
        if key not in (None, values["made_by"]):
            return None
        confusion = None
        if values["confusion"] is not None:
            classes, cells, counts = values["confusion"]
            confusion = torch.zeros(classes, classes, dtype=torch.int64)
            rows, columns = torch.tensor(cells, dtype=torch.int64).reshape(-1, 2).unbind(-1)
            confusion[rows, columns] = torch.tensor(counts, dtype=torch.int64)
        scores = dict.fromkeys(TITLES) | values["scores"]
        return ViewResult(scene, view, scores, confusion, *(_table(values, name) for name in TABLES))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _table(values: dict[str, Any], name: str) -> Tensor | None:
    rows = values.get(name)
    return None if rows is None else torch.tensor(rows, dtype=torch.int64).reshape(-1, COLUMNS)


def save_maps(folder: Path, view: RenderedView) -> None:
    """Writes the maps of a view that are compared with those of other views to its folder.

    These are its labels; if it has instances, their ids, and the median depth of each ray in the units of the
    poses, which lies on a surface where the mean depth can lie between two.
    """
    if view.labels is not None:
        save_labels(folder, view.labels)
    if view.instances is not None and view.surface is not None:
        _save_numbers(folder / IDS, view.instances)
        data = io.BytesIO()
        np.save(data, view.surface.numpy())
        write_whole(folder / DEPTH, data.getvalue())


def save_labels(folder: Path, labels: Tensor) -> None:
    """Writes the rendered labels of a view, int64 [H, W], to its folder; below 0: none."""
    _save_numbers(folder / LABELS, labels)


def load_labels(folder: Path) -> Tensor | None:
    """Reads the rendered labels of a view, -1 where there is none; None if they are missing or damaged."""
    return _load_numbers(folder / LABELS)


def load_segments(folder: Path) -> tuple[Segments, Tensor] | None:
    """Reads the segments of a view and its rendered depth [H, W]; None if a file is missing or damaged.

    Depth that was rendered at a stride is that of the nearest rendered pixel.
    """
    classes, ids = load_labels(folder), _load_numbers(folder / IDS)
    if classes is None or ids is None:
        return None
    try:
        depth = resize_values(read_array(folder / DEPTH), *ids.shape)
    except DataError:
        return None
    return Segments(classes, ids), torch.from_numpy(depth)


def _save_numbers(path: Path, numbers: Tensor) -> None:
    write_image(path, (numbers.clamp(min=-1) + 1).numpy().astype(np.uint16))


def _load_numbers(path: Path) -> Tensor | None:
    try:
        return torch.from_numpy(read_image(path).astype(np.int64)) - 1
    except DataError:
        return None


def save_scene_ids(folder: Path, ids: Tensor | None) -> None:
    """Writes the ids in the scene, int64 [I], of the ids in a view."""
    write_whole(folder / SCENE_IDS, json.dumps(None if ids is None else ids.tolist()))


def load_scene_ids(folder: Path) -> Tensor | None:
    """Reads what `save_scene_ids` wrote; None if it is missing or damaged."""
    try:
        ids = json.loads((folder / SCENE_IDS).read_text())
        return None if ids is None else torch.tensor(ids, dtype=torch.int64)
    except (OSError, ValueError, TypeError):
        return None


def save_agreement(folder: Path, agreement: Agreement | None) -> None:
    """Writes how far the labels of a view agree with those of the next one."""
    write_whole(folder / NEXT, json.dumps(agreement))


def load_agreement(folder: Path) -> Agreement | None:
    """Reads what `save_agreement` wrote; None if it is missing or damaged."""
    try:
        return Agreement(*map(int, json.loads((folder / NEXT).read_text())))
    except (OSError, ValueError, TypeError):
        return None


def rendering_seconds(folder: Path) -> float | None:
    """Mean seconds that the views in the folder of an evaluation took (see save_view); None if unknown."""
    records = [json.loads(path.read_text()) for path in folder.rglob(RECORD)]
    known = [one["seconds"] for one in records if one.get("seconds") is not None]
    return fmean(known) if known else None


def write_results(folder: Path, result: EvaluationResult) -> str:
    """Writes views.csv, metrics.json and table.md; returns the table of scenes in markdown."""
    scenes = result.scenes
    table = markdown_rows(scene_table(scenes))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scene", "view", *TITLES])
    for view in result.views:
        writer.writerow([view.scene, view.view, *(view.scores[name] for name in TITLES)])
    write_whole(folder / "views.csv", text.getvalue())
    summary = {"made_by": dict(result.facts), "class_names": result.class_names, **summarize(scenes)}
    write_whole(folder / "metrics.json", json.dumps(summary, indent=2) + "\n")
    write_whole(folder / "table.md", f"{table}\n{facts_line(result.facts)}\n{NOTES}")
    return table


def summarize(scenes: Sequence[SceneResult]) -> dict[str, Any]:
    """Scores and number of views, overall and by scene: {"overall": {...}, "scenes": {name: {...}}}."""
    return {
        "overall": {**overall(scenes), "views": sum(scene.views for scene in scenes)},
        "scenes": {scene.scene: {**scene.scores, "views": scene.views} for scene in scenes},
    }


def read_results(folder: Path) -> EvaluationResult | None:
    """Reads what `write_results` and `save_view` wrote; returns None if it is missing or damaged."""
    try:
        summary = json.loads((folder / "metrics.json").read_text())
        with (folder / "views.csv").open(newline="") as file:
            views = [_read_view(folder, row) for row in csv.DictReader(file)]
        return EvaluationResult(views, summary["made_by"], tuple(summary["class_names"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def _read_view(folder: Path, row: dict[str, str]) -> ViewResult:
    place = folder / row["scene"] / row["view"]
    kept = load_view(place, row["scene"], row["view"])
    # Results that were written before there was a score do not have it.
    scores = {name: float(row[name]) if row.get(name) else None for name in TITLES}
    if kept is None:
        return ViewResult(row["scene"], row["view"], scores)
    of_scene = load_scene_ids(place)
    if kept.view_overlaps is not None and of_scene is not None:
        kept = replace(kept, overlaps=renumbered(kept.view_overlaps, of_scene))
    return replace(kept, scores=scores, agreement=load_agreement(place))
