"""ScanNet in the exported layout -> SceneIndex; the label map -> LabelSpace.

A scene is a folder. All files of a frame have its number, N = 0.. without leading zeros:

    scene0000_00/
        color/N.jpg                       8-bit colour, 1296x968 or resized
        depth/N.png                       16-bit z-depth in millimetres, 640x480, 0 = none    optional
        label-filt/N.png                  16-bit raw label ids                                optional
        instance-filt/N.png               instance ids, 0 = none                              optional
        pose/N.txt                        camera-to-world 4x4, OpenCV axes, metres; inf where lost
        intrinsic/intrinsic_color.txt     4x4
    scannetv2-labels.combined.tsv         beside the scenes: raw id -> nyu40 id

scripts/prepare_scannet.py writes this layout from the official download. Frames whose pose was lost are
dropped before frames are counted.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from gpnerf.datasets.files.matrices import check_intrinsics, check_pose, read_numbers
from gpnerf.datasets.files.numbered import numbered_files, relative
from gpnerf.datasets.index.file_checks import check_sizes
from gpnerf.datasets.index.scene_index import SceneIndex, probe
from gpnerf.datasets.labels import IGNORE, LARGEST_ID, LISTED, LabelSpace
from gpnerf.datasets.published.class_lists import NYU40_CLASSES, SCANNET_NYU40_IDS
from gpnerf.datasets.ranges import DepthRange
from gpnerf.media.formats import PHOTOGRAPH_SUFFIXES
from gpnerf.media.images import image_size
from gpnerf.system.errors import DataError, Faults
from gpnerf.system.wording import some

FOLDERS = {"image": "color", "depth": "depth", "semantic": "label-filt", "instance": "instance-filt"}
SUFFIXES = {"image": PHOTOGRAPH_SUFFIXES}
POSES = "pose"
INTRINSICS = "intrinsic/intrinsic_color.txt"
DEPTH_INTRINSICS = "intrinsic/intrinsic_depth.txt"
EXTRINSICS = ("intrinsic/extrinsic_color.txt", "intrinsic/extrinsic_depth.txt")
# Largest offset of the principal point from the middle, and largest difference between the intrinsics of
# depth and colour, as shares of the width.
OFF_CENTER, OFF_COLOR = 0.05, 0.01
LABEL_MAP = "scannetv2-labels.combined.tsv"
# Metres; the same range for training and test, as in Semantic-Ray.
RANGE = DepthRange(0.1, 10.0, "as published for ScanNet")


def index_scene(folder: Path, faults: Faults) -> SceneIndex:
    """Indexes the scene in `folder`; leaves out faulty frames, whose faults are added to `faults`."""
    names = {
        kind: numbered_files(folder / name, "", SUFFIXES.get(kind, (".png",)), faults)
        for kind, name in FOLDERS.items()
    }
    if not names["image"]:
        found = "no such images" if folder.is_dir() else "no such folder"
        raise DataError(
            f"{folder}: expected images color/N.jpg, found {found}; correct the path, or export the download "
            "with scripts/prepare_scannet.py."
        )
    texts = numbered_files(folder / POSES, "", (".txt",), faults)
    poses = _poses(folder, list(names["image"]), texts, faults)
    numbers = list(poses)
    files = {kind: relative(FOLDERS[kind], names[kind], numbers) for kind in FOLDERS}
    height, width = image_size(folder / files["image"][0])
    sizes = np.tile([height, width], (len(numbers), 1))
    check_sizes(folder, files, sizes, files["image"][0], faults)
    intrinsics = _intrinsics(folder, height, width)
    lost = sum(number in texts for number in names["image"]) - len(numbers)
    return SceneIndex(
        names=tuple(map(str, numbers)),
        files=files,
        intrinsics=np.tile(intrinsics, (len(numbers), 1, 1)),
        poses=np.stack(list(poses.values())),
        sizes=sizes,
        distortion=np.zeros((len(numbers), 8)),
        watched=_watched(files, texts.values()),
        instance_ignore=0,
        warnings=(
            *_lost_warning(folder, lost, len(names["image"])),
            *_depth_warnings(folder, files, intrinsics),
        ),
    )


def _watched(files: Mapping[str, Sequence[str]], poses: Iterable[str]) -> tuple[str, ...]:
    """Lists the paths whose changes outdate the index; poses: names of the pose files."""
    calibration = (INTRINSICS, DEPTH_INTRINSICS, *EXTRINSICS)
    return *calibration, *FOLDERS.values(), POSES, *(f"{POSES}/{name}" for name in poses), *probe(files)


def label_space(label_map: Path, all_classes: bool) -> LabelSpace:
    """Label space of the benchmark's 20 classes, or of all 40 of nyu40, from the official label map.

    Raw id 0, ids without a class and ids that the label map skips are unlabelled.
    """
    to_nyu40 = _read_label_map(label_map)
    chosen = range(1, len(NYU40_CLASSES) + 1) if all_classes else SCANNET_NYU40_IDS
    index = {number: position for position, number in enumerate(chosen)}
    classes = {raw: index.get(to_nyu40.get(raw), IGNORE) for raw in range(max(to_nyu40) + 1)}
    names = tuple(NYU40_CLASSES[number - 1] for number in chosen)
    return LabelSpace.mapped(names, classes, f"{LISTED} in {label_map}")


def _read_label_map(path: Path) -> dict[int, int | None]:
    """Reads raw id -> nyu40 id, None where the label map gives no class."""
    if not path.is_file():
        raise DataError(
            f"{path}: expected ScanNet's label map, found no such file; get it with the official download "
            "script and put it beside the scenes."
        )
    try:
        with path.open(newline="", encoding="utf-8") as file:
            # A stray quotation mark would swallow all rows up to the next one.
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            lacking = [name for name in ("id", "nyu40id") if name not in (reader.fieldnames or ())]
            if lacking:
                raise DataError(
                    f"{path}: expected the columns id and nyu40id, found no {' and no '.join(lacking)}; "
                    f"use the official {LABEL_MAP}."
                )
            rows = [(int(row["id"]), int(row["nyu40id"]) if row["nyu40id"] != "" else None) for row in reader]
    except (ValueError, TypeError, csv.Error) as error:
        raise DataError(
            f"{path}: expected whole numbers in the columns id and nyu40id, found other text ({error}); "
            f"use the official {LABEL_MAP}."
        ) from error
    table = dict(rows)
    if not table or not 0 <= min(table) <= max(table) <= LARGEST_ID:
        raise DataError(
            f"{path}: expected rows with ids from 0 to {LARGEST_ID}, found "
            f"{f'{min(table):g} to {max(table):g}' if table else 'none'}; use the official {LABEL_MAP}."
        )
    for raw, nyu40 in rows:
        if nyu40 != table[raw] or not (nyu40 is None or 0 <= nyu40 <= len(NYU40_CLASSES)):
            found = " and ".join(map(str, sorted({nyu40, table[raw]}, key=str)))
            raise DataError(
                f"{path}: expected one nyu40id from 0 to {len(NYU40_CLASSES)} for every id, found {found} "
                f"for the id {raw}; use the official {LABEL_MAP}."
            )
    return table


def _poses(folder: Path, numbers: list[int], texts: dict[int, str], faults: Faults) -> dict[int, np.ndarray]:
    """Frame number -> camera-to-world [4, 4], without the frames whose pose was lost."""
    lacking = [number for number in numbers if number not in texts]
    if lacking:
        faults.add(
            f"{folder / POSES}: expected a file N.txt for every image, found none for the frames "
            f"{some(lacking)}; export the scene again with scripts/prepare_scannet.py."
        )
    poses = {}
    for number in numbers:
        if number in texts:
            path = folder / POSES / texts[number]
            with faults.collected():
                pose = _read_matrix(path)
                if np.isfinite(pose).all():
                    check_pose(pose, str(path))
                    poses[number] = pose
    if not poses:
        faults.raise_any()
        raise DataError(f"{folder / POSES}: expected poses, found only inf or nan; choose another scene.")
    return poses


def _lost_warning(folder: Path, lost: int, frames: int) -> list[str]:
    return [f"{folder}: {lost} of {frames} frames are left out, as their pose was lost."] if lost else []


def _depth_warnings(folder: Path, files: dict[str, tuple[str, ...]], color: np.ndarray) -> list[str]:
    """Writes a sentence for each sign that the colour camera did not see the depth, as loaders assume.

    color: intrinsics [3, 3] of the colour camera.
    """
    depth = next(filter(None, files["depth"]), None)
    if depth is None:
        return []
    sentences = []
    moved = [name for name in EXTRINSICS if (folder / name).is_file()]
    moved = [name for name in moved if not np.allclose(_read_matrix(folder / name), np.eye(4), atol=1e-3)]
    if moved:
        sentences.append(
            f"{folder}: depth is read as if it were seen by the colour camera, though {' and '.join(moved)} "
            "is not the identity; register depth to colour."
        )
    if (folder / DEPTH_INTRINSICS).is_file():
        height, width = image_size(folder / files["image"][0])
        depth_height, depth_width = image_size(folder / depth)
        scale = np.array([[depth_width / width], [depth_height / height], [1.0]])
        off = np.abs(_read_matrix(folder / DEPTH_INTRINSICS)[:3, :3] - scale * color).max() / depth_width
        if off > OFF_COLOR:
            sentences.append(
                f"{folder}: depth is read as if it were seen by the colour camera, though {DEPTH_INTRINSICS} "
                f"differs from {INTRINSICS} by {off:.1%} of the width; register depth to colour."
            )
    return sentences


def _read_matrix(path: Path) -> np.ndarray:
    matrix = read_numbers(path, 4)
    if matrix.shape != (4, 4):
        raise DataError(f"{path}: expected a 4x4 matrix, found {len(matrix)} rows; export the scene again.")
    return matrix


def _intrinsics(folder: Path, height: int, width: int) -> np.ndarray:
    """Reads the intrinsics [3, 3] of images of this size.

    Raises DataError unless the principal point is near the middle: it is not if only the images were resized.
    """
    path = folder / INTRINSICS
    matrix = _read_matrix(path)[:3, :3]
    (fx, _, cx), (_, fy, cy), _ = matrix
    if not (fx > 0 and fy > 0):
        raise DataError(f"{path}: expected positive focal lengths, found {fx:g} and {fy:g}; export it again.")
    if abs(cx - width / 2) > OFF_CENTER * width or abs(cy - height / 2) > OFF_CENTER * height:
        raise DataError(
            f"{path}: expected a principal point near the middle of the {width}x{height} images, found "
            f"({cx:g}, {cy:g}); the images were resized without the file: export the scene again with "
            "scripts/prepare_scannet.py --height --width."
        )
    check_intrinsics(matrix, height, width, str(path))
    return matrix
