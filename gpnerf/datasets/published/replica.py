"""Replica as rendered for Semantic-NeRF, and DM-NeRF's instance data -> SceneIndex.

A scene is the folder of one sequence (DM-NeRF: of one room). Frame numbers N = 0..899 have no leading zeros:

    office_0/Sequence_1/
        rgb/rgb_N.png                             8-bit colour
        depth/depth_N.png                         16-bit z-depth in millimetres, 0 = none     optional
        semantic_class/semantic_class_N.png       8-bit class ids 0..101, 0 = void            optional
        semantic_instance/semantic_instance_N.png 16-bit instance ids                         optional
        traj_w_c.txt                              row N: camera-to-world 4x4, OpenCV axes, metres
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.datasets.files.matrices import check_pose, read_numbers
from gpnerf.datasets.files.numbered import numbered_files, relative
from gpnerf.datasets.index.file_checks import check_sizes, same_shape
from gpnerf.datasets.index.scene_index import SceneIndex, probe
from gpnerf.datasets.labels import IGNORE, LabelSpace
from gpnerf.datasets.published.class_lists import REPLICA_CLASSES, REPLICA_SCORED_IDS
from gpnerf.datasets.ranges import DepthRange
from gpnerf.media.images import image_size
from gpnerf.system.errors import DataError, Faults
from gpnerf.system.wording import some

FOLDERS = {
    "image": "rgb",
    "depth": "depth",
    "semantic": "semantic_class",
    "instance": "semantic_instance",
}
# Only photographs may be jpegs: in a map, its losses would change the values.
SUFFIXES = {"image": (".png", ".jpg")}
TRAJECTORY = "traj_w_c.txt"
# Height and width of all renderings: images of another shape are cropped, or of another data set.
SHAPE = (480, 640)
# Metres; the same range for training and test, as in Semantic-Ray.
RANGE = DepthRange(0.1, 6.0, "as published for Replica")


def index_scene(folder: Path, faults: Faults) -> SceneIndex:
    """Indexes the sequence in `folder`; leaves out faulty frames, whose faults are added to `faults`."""
    names = {
        kind: numbered_files(folder / name, f"{name}_", SUFFIXES.get(kind, (".png",)), faults)
        for kind, name in FOLDERS.items()
    }
    if not names["image"]:
        raise _no_scene(folder)
    poses = read_numbers(folder / TRAJECTORY, 16).reshape(-1, 4, 4)
    numbers = _posed(folder, list(names["image"]), poses, faults)
    files = {kind: relative(FOLDERS[kind], names[kind], numbers) for kind in FOLDERS}
    height, width = image_size(folder / files["image"][0])
    sizes = np.tile([height, width], (len(numbers), 1))
    check_sizes(folder, files, sizes, files["image"][0], faults)
    return SceneIndex(
        names=tuple(map(str, numbers)),
        files=files,
        intrinsics=np.tile(intrinsics(height, width), (len(numbers), 1, 1)),
        poses=poses[numbers],
        sizes=sizes,
        distortion=np.zeros((len(numbers), 8)),
        watched=(TRAJECTORY, *FOLDERS.values(), *probe(files)),
        warnings=tuple(_shape_warning(folder, height, width)),
    )


def _shape_warning(folder: Path, height: int, width: int) -> list[str]:
    if same_shape((height, width), SHAPE):
        return []
    return [
        f"{folder}: the images have {width}x{height} pixels, not the shape of {SHAPE[1]}x{SHAPE[0]}; they "
        "are read with a field of view of 90 degrees, poses in metres and depth in millimetres: if that is "
        "wrong, write a transforms.json."
    ]


def intrinsics(height: int, width: int) -> np.ndarray:
    """Intrinsics [3, 3] of Replica images: horizontal field of view 90 degrees, principal point centred."""
    return np.array([[width / 2, 0.0, (width - 1) / 2], [0.0, width / 2, (height - 1) / 2], [0.0, 0.0, 1.0]])


def label_space(all_classes: bool) -> LabelSpace:
    """The 51 classes that Semantic-Ray and GP-NeRF score, or all 101; void (0) is unlabelled."""
    chosen = range(1, len(REPLICA_CLASSES) + 1) if all_classes else REPLICA_SCORED_IDS
    classes = dict.fromkeys(range(len(REPLICA_CLASSES) + 1), IGNORE)
    classes |= {number: index for index, number in enumerate(chosen)}
    return LabelSpace.mapped(tuple(REPLICA_CLASSES[number - 1] for number in chosen), classes)


def _posed(folder: Path, numbers: list[int], poses: np.ndarray, faults: Faults) -> list[int]:
    """Selects the frames whose row of the trajectory is a valid pose."""
    beyond = [number for number in numbers if number >= len(poses)]
    if beyond:
        faults.add(
            f"{folder / TRAJECTORY}: expected a row for every frame, found {len(poses)} rows and none for "
            f"the frames {some(beyond)}; use the trajectory that belongs to the images."
        )
    good = []
    for number in numbers[: len(numbers) - len(beyond)]:
        with faults.collected():
            check_pose(poses[number], f"{folder / TRAJECTORY}, row {number}")
            good.append(number)
    if not good:
        faults.raise_any()
    return good


def _no_scene(folder: Path) -> DataError:
    sequences = sorted(path.name for path in folder.glob("Sequence_*")) if folder.is_dir() else []
    if sequences:
        return DataError(
            f"{folder}: expected the folder of one sequence, found {' and '.join(sequences)} in it; name the "
            f"scene {folder.name}/{sequences[0]}."
        )
    found = "no such images" if folder.is_dir() else "no such folder"
    return DataError(
        f"{folder}: expected images rgb/rgb_N.png, found {found}; correct the path, or unpack the download "
        "with scripts/prepare_replica.py."
    )
