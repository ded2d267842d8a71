"""The rooms in the disk layouts of other data sets, so that one test can hold all loaders against each other.

Replica: as rendered for Semantic-NeRF (github.com/Harry-Zhi/semantic_nerf); ScanNet: export_scannet.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from gpnerf.datasets import rooms
from gpnerf.datasets.rooms import CLASS_NAMES, Job
from gpnerf.media.images import write_image
from gpnerf.rooms import export_scannet
from gpnerf.system.errors import ConfigError
from gpnerf.system.files import write_whole

# Class of the rooms -> id and name in Replica.
REPLICA_CLASSES = {
    "wall": (93, "wall"),
    "floor": (40, "floor"),
    "ceiling": (31, "ceiling"),
    "door": (37, "door"),
    "window": (97, "window"),
    "picture": (59, "picture"),
    "rug": (98, "rug"),
    "table": (80, "table"),
    "chair": (20, "chair"),
    "sofa": (76, "sofa"),
    "bed": (7, "bed"),
    "cabinet": (18, "cabinet"),
    "bookshelf": (71, "shelf"),
    "lamp": (47, "lamp"),
    "plant": (44, "indoor-plant"),
    "curtain": (30, "curtain"),
}
REPLICA_IDS = np.array([REPLICA_CLASSES[name][0] for name in CLASS_NAMES], np.uint8)
REPLICA_FOLDERS = ("rgb", "depth", "semantic_class", "semantic_instance")
SEQUENCE = "Sequence_1"
# Colours of the previews that lie among the label maps: uint8 [102, 3].
PREVIEW_COLORS = np.random.default_rng(0).integers(0, 256, (102, 3), np.uint8)
# Beside the rooms: what they were made with.
RECORD = "made_with.txt"


def write_replica(job: Job, folder: Path) -> None:
    """Writes a room as the first sequence of a Replica scene into the empty `folder`."""
    sequence = folder / SEQUENCE
    for name in REPLICA_FOLDERS:
        (sequence / name).mkdir(parents=True)
    poses = []
    for number, (camera, picture) in enumerate(rooms.shots(job)):
        ids = REPLICA_IDS[picture.semantic]
        for name, pixels in zip(
            REPLICA_FOLDERS, (picture.color, picture.depth, ids, picture.instance), strict=True
        ):
            write_image(sequence / name / f"{name}_{number}.png", pixels)
        write_image(sequence / "semantic_class" / f"vis_sem_class_{number}.png", PREVIEW_COLORS[ids])
        poses.append(camera.camera_to_world.flatten().numpy())
    np.savetxt(sequence / "traj_w_c.txt", poses)


def replica_info() -> str:
    """The classes in the form of Replica's info_semantic.json."""
    classes = [{"id": number, "name": name} for number, name in sorted(REPLICA_CLASSES.values())]
    return json.dumps({"classes": classes}, indent=1) + "\n"


@dataclass(frozen=True)
class Layout:
    """A disk layout.

    write: fills the empty folder of a room; parent: where the rooms lie below the root; shared: text of the
    files that all rooms have in common, by name; field_of_view: degrees, None if any will do.
    """

    write: Callable[[Job, Path], None]
    parent: str = ""
    shared: Mapping[str, str] = field(default_factory=dict)
    field_of_view: float | None = None


SCANNET_SHARED = {export_scannet.LABEL_FILE: export_scannet.label_table()}
LAYOUTS = {
    "transforms": Layout(rooms.write_transforms),
    "replica": Layout(write_replica, shared={"info_semantic.json": replica_info()}, field_of_view=90.0),
    "scannet": Layout(export_scannet.write_folders, shared=SCANNET_SHARED),
    "scannet_download": Layout(export_scannet.write_download, parent="scans", shared=SCANNET_SHARED),
}


def export(
    root: Path,
    layout: str,
    seeds: Sequence[int],
    height: int,
    width: int,
    num_views: int,
    field_of_view: float,
    workers: int = 2,
) -> None:
    """Writes those rooms that are missing, `workers` at a time, in a layout of LAYOUTS.

    height, width: pixels; field_of_view: horizontal, degrees. Raises ConfigError where `root` holds rooms
    made with other options, or another data set.
    """
    form = LAYOUTS[layout]
    root.mkdir(parents=True, exist_ok=True)
    made_with = f"--layout {layout} --views {num_views} --height {height} --width {width} "
    made_with += f"--field_of_view {field_of_view:g} (rooms of version {rooms.VERSION})\n"
    _share(root, {RECORD: made_with, **form.shared})
    jobs = [
        Job(root / form.parent / name, seed, height, width, num_views, field_of_view)
        for seed, name in zip(seeds, rooms.names(seeds), strict=True)
    ]
    missing = [job for job in jobs if not job.folder.is_dir()]
    rooms.make_all(partial(_make, layout), missing, workers)


def _make(layout: str, job: Job) -> None:
    rooms.write_whole(job.folder, partial(LAYOUTS[layout].write, job), job.folder.is_dir)


def _share(root: Path, texts: Mapping[str, str]) -> None:
    """Writes the files that all rooms have in common, unless one of another origin is there."""
    present = [name for name in texts if (root / name).exists()]
    for name in present:
        expected, found = texts[name].strip(), (root / name).read_text(errors="replace").strip()
        if found != expected:
            raise ConfigError(
                f"{root / name}: expected {_start(expected)!r}, found {_start(found)!r}, as the folder holds "
                "other rooms or another data set; choose another one."
            )
    for name in texts.keys() - present:
        write_whole(root / name, texts[name])


def _start(text: str) -> str:
    return text if len(text) < 120 else text[:60] + " ..."
