"""Tiny scenes in the layouts of Replica and ScanNet, whose pixels tell the frame they belong to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpnerf.datasets.published.scannet import LABEL_MAP
from gpnerf.media.images import write_image

HEIGHT, WIDTH = 24, 32


def pose_of(number: int) -> np.ndarray:
    """Frame N stands at x = N / 10 metres."""
    pose = np.eye(4)
    pose[0, 3] = 0.1 * number
    return pose


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, pixels)


def filled(value: int, dtype: type, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.full((height, width), value, dtype)


def write_replica(sequence: Path, frames: int = 12) -> Path:
    """Colour 10 N, depth 2000 + N mm, class 93 (wall) with a row of void, instance 300 + N."""
    for number in range(frames):
        classes = filled(93, np.uint8)
        classes[0] = 0
        save(sequence / f"rgb/rgb_{number}.png", np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8))
        save(sequence / f"depth/depth_{number}.png", filled(2000 + number, np.uint16))
        save(sequence / f"semantic_class/semantic_class_{number}.png", classes)
        save(sequence / f"semantic_class/vis_sem_class_{number}.png", filled(1, np.uint8))
        save(sequence / f"semantic_instance/semantic_instance_{number}.png", filled(300 + number, np.uint16))
    rows = [" ".join(map(repr, pose_of(number).flatten().tolist())) for number in range(frames)]
    (sequence / "traj_w_c.txt").write_text("\n".join(rows) + "\n")
    return sequence


def write_scannet(scene: Path, frames: int = 12, lost: tuple[int, ...] = ()) -> Path:
    """As above; depth of half the size; raw ids 300 (chair), 1 (wall) and 0; lost frames have no pose."""
    for number in range(frames):
        raw = filled(300, np.uint16)
        raw[0], raw[1] = 0, 1
        instance = filled(number, np.uint8)
        save(scene / f"color/{number}.jpg", np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8))
        save(scene / f"depth/{number}.png", filled(2000 + number, np.uint16, HEIGHT // 2, WIDTH // 2))
        save(scene / f"label-filt/{number}.png", raw)
        save(scene / f"instance-filt/{number}.png", instance)
        pose = np.full((4, 4), -np.inf) if number in lost else pose_of(number)
        write_matrix(scene / f"pose/{number}.txt", pose)
    intrinsics = np.diag([20.0, 21.0, 1.0, 1.0])
    intrinsics[:2, 2] = 15.0, 12.0
    write_matrix(scene / "intrinsic/intrinsic_color.txt", intrinsics)
    rows = ["id\traw_category\tnyu40id\tnyu40class", "1\twall\t1\twall", "300\tchair\t5\tchair"]
    (scene.parent / LABEL_MAP).write_text("\n".join(rows) + "\n")
    return scene


def write_matrix(path: Path, matrix: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(" ".join(f"{value:.6f}" for value in row) for row in matrix) + "\n")
