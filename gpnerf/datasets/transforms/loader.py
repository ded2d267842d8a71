"""transforms.json of nerfstudio / instant-ngp -> SceneIndex.

In addition to their keys, a frame may have `semantic_path` and `instance_path`, and the top level
`semantic_classes` (names in the order of their ids), `ignore_label` (255), `no_object_id` (none),
`labels_made_by` (a model), `near` and `far` (in the units of the poses). keys.py lists all known keys.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from gpnerf.datasets.files.records import Record
from gpnerf.datasets.index.file_checks import check_lossless, check_shared, check_sizes
from gpnerf.datasets.index.scene_index import KINDS, SceneIndex, folders_of, probe
from gpnerf.datasets.labels import IGNORE, LARGEST_ID
from gpnerf.datasets.transforms import camera, depth
from gpnerf.datasets.transforms.files import missing_files, named_files, unused_warnings
from gpnerf.datasets.transforms.keys import check_keys, is_refused
from gpnerf.datasets.transforms.labels import class_names_of, ignore_label, labels_made_by
from gpnerf.datasets.transforms.splits import stated_splits
from gpnerf.datasets.transforms.text import FILE_NAMES, SceneText, read_text
from gpnerf.system.errors import Faults


def index_scene(folder: Path, faults: Faults) -> SceneIndex:
    """Indexes the scene in `folder`, frames in the order of the numbers in their file names.

    No image is decoded. Faults of single frames are added to `faults`, and the frames are left out. Raises
    DataError if there is no scene at all.
    """
    text = read_text(folder)
    warnings = [*check_keys(text, faults), *unused_warnings(folder, text)]
    class_names = class_names_of(text)
    rows = _rows(folder, text, faults)
    files = {kind: tuple(row[kind] for row in rows) for kind in KINDS}
    columns = {name: np.stack([row[name] for row in rows]) for name in ("intrinsics", "poses", "sizes")}
    _check_files(folder, text, files, columns["sizes"], faults)
    splits = tuple(row["split"] for row in rows)
    unit = depth.depth_unit(text, warnings)
    points, no_points = depth.sparse_points(folder, text, warnings)
    near = far = None
    with faults.collected():
        near, far = text.top.positive("near"), text.top.positive("far")
    return SceneIndex(
        names=_names(files["image"]),
        files=files,
        distortion=np.stack([row["distortion"] for row in rows]),
        near=near,
        far=far,
        stated_in=text.file_list,
        points=points,
        no_points=no_points,
        splits=splits,
        watched=(*FILE_NAMES, *folders_of(files), *probe(files)),
        depth_unit=unit,
        instance_ignore=text.top.integer("no_object_id", IGNORE, IGNORE, LARGEST_ID),
        class_names=class_names,
        ignore_label=ignore_label(text, class_names, warnings),
        labels_made_by=labels_made_by(text, warnings),
        warnings=tuple(warnings),
        **columns,
    )


def _check_files(
    folder: Path, text: SceneText, files: dict[str, tuple[str, ...]], sizes: np.ndarray, faults: Faults
) -> None:
    check_shared(files, text.top.place, faults)
    check_lossless(folder, files, text.top.place, faults)
    check_sizes(folder, files, sizes, text.file_list, faults)


def _rows(folder: Path, text: SceneText, faults: Faults) -> list[dict]:
    """Reads the entries of all frames in the columns of the index, sorted; raises DataError if all fail."""
    rows = []
    missing: list[str] = []
    for frame, split in zip(text.frames, stated_splits(text, faults), strict=True):
        if is_refused(frame):
            continue
        with faults.collected():
            row = _frame(folder, frame.record, missing)
            rows += [row | {"split": split}] if row else []
    if missing:
        faults.add(missing_files(folder, missing, text.top.place))
    if not rows:
        faults.raise_any()
    return sorted(rows, key=lambda row: _natural(row["image"]))


def _frame(folder: Path, frame: Record, missing: list[str]) -> dict | None:
    """Reads the entry of a frame in every column of the index but its split; None if its image is missing.

    Files that do not exist are added to `missing`.
    """
    if not frame.text("file_path"):
        raise frame.fault("file_path", "the path of an image")
    paths = named_files(folder, frame, missing)
    if not paths["image"]:
        return None
    size = camera.size(frame, folder / paths["image"])
    return {
        **paths,
        "sizes": np.array(size),
        "intrinsics": camera.intrinsics(frame, *size),
        "poses": camera.pose(frame),
        "distortion": camera.distortion(frame),
    }


def _names(images: tuple[str, ...]) -> tuple[str, ...]:
    """Names frames by the stems of their images, or by their paths if two stems are the same."""
    paths = [Path(image).with_suffix("").as_posix() for image in images]
    stems = [Path(image).stem for image in images]
    return tuple(paths if len(set(stems)) < len(stems) else stems)


def _natural(path: str) -> list:
    """Sort key by stem, then by path, that puts frame_2 before frame_10."""
    return [_numbered(Path(path).stem), _numbered(Path(path).with_suffix("").as_posix())]


def _numbered(text: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]
