"""Writes a room as a sequence of Replica rendered for Semantic-NeRF (github.com/Harry-Zhi/semantic_nerf)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from gpnerf.media.images import write_image
from gpnerf.rooms.layout import CLASS_NAMES
from gpnerf.rooms.shots import Job, shots

# Class of a room -> id and name in Replica.
CLASSES = {
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
IDS = np.array([CLASSES[name][0] for name in CLASS_NAMES], np.uint8)
FOLDERS = ("rgb", "depth", "semantic_class", "semantic_instance")
SEQUENCE = "Sequence_1"
CLASS_FILE = "info_semantic.json"
# Colours of the previews that lie among the label maps: uint8 [102, 3].
PREVIEW_COLORS = np.random.default_rng(0).integers(0, 256, (102, 3), np.uint8)


def write_sequence(job: Job, folder: Path) -> None:
    """Writes a room as the first sequence of a Replica scene into the empty `folder`."""
    sequence = folder / SEQUENCE
    for name in FOLDERS:
        (sequence / name).mkdir(parents=True)
    poses = []
    for number, (camera, picture) in enumerate(shots(job)):
        ids = IDS[picture.semantic]
        for name, pixels in zip(FOLDERS, (picture.color, picture.depth, ids, picture.instance), strict=True):
            write_image(sequence / name / f"{name}_{number}.png", pixels)
        write_image(sequence / "semantic_class" / f"vis_sem_class_{number}.png", PREVIEW_COLORS[ids])
        poses.append(camera.camera_to_world.flatten().numpy())
    np.savetxt(sequence / "traj_w_c.txt", poses)


def class_table() -> str:
    """Returns the text of CLASS_FILE: ids and names of the classes, as in Replica's own file."""
    classes = [{"id": number, "name": name} for number, name in sorted(CLASSES.values())]
    return json.dumps({"classes": classes}, indent=1) + "\n"
