"""The embedded data set: furnished rooms made from seeds, kept on disk in the form of transforms.json.

Cache: <root>/v<version>_<height>x<width>_<views>/room_<seed>/ with images/, depth/ (millimetres),
semantic/ and instance/; its path holds everything that decides its content.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from gpnerf.datasets.layouts import Reading, load_scene
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.transforms.text import FILE_NAME
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV, Camera
from gpnerf.media.images import write_image
from gpnerf.rooms.layout import CLASS_NAMES, make_room
from gpnerf.rooms.tracer import Picture, Tracer

__all__ = [
    "CLASS_NAMES",
    "FIELD_OF_VIEW",
    "VERSION",
    "Job",
    "camera",
    "load",
    "make_all",
    "names",
    "prepare",
    "shots",
    "write_transforms",
    "write_whole",
]

# Raise it whenever the same seed gives other pictures or other files.
VERSION = 5
FIELD_OF_VIEW = 80.0  # degrees, horizontal
# Key of a frame in transforms.json -> folder of its files.
FOLDERS = {
    "file_path": "images",
    "depth_file_path": "depth",
    "semantic_path": "semantic",
    "instance_path": "instance",
}


@dataclass(frozen=True)
class Job:
    """One room to make; picklable. field_of_view: horizontal, degrees."""

    folder: Path
    seed: int
    height: int
    width: int
    num_views: int
    field_of_view: float = FIELD_OF_VIEW


def names(seeds: Iterable[int]) -> tuple[str, ...]:
    """Scene names such as room_0007."""
    return tuple(f"room_{seed:04d}" for seed in seeds)


def load(
    root: Path,
    seed: int,
    height: int,
    width: int,
    num_views: int,
    near: float | None = None,
    far: float | None = None,
) -> Scene:
    """The room of a seed with `num_views` views in walking order; made first where it is not cached.

    near, far: z-depth range in metres, if not the room's own.
    """
    job = _job(root, seed, height, width, num_views)
    if not _complete(job):
        _make(job)
    return load_scene("transforms", job.folder.parent, job.folder.name, Reading(near, far))


def prepare(
    root: Path, seeds: Sequence[int], height: int, width: int, num_views: int, workers: int = 2
) -> None:
    """Makes the rooms that are not cached yet, `workers` at a time, with a progress bar."""
    jobs = [_job(root, seed, height, width, num_views) for seed in seeds]
    make_all(_make, [job for job in jobs if not _complete(job)], workers)


def make_all(make: Callable[[Job], None], jobs: Sequence[Job], workers: int) -> None:
    """Calls the picklable `make` with every job, `workers` at a time, with a progress bar."""
    if not jobs:
        return
    with tqdm(total=len(jobs), desc="Making rooms", unit="room") as progress:
        if min(workers, len(jobs)) <= 1:
            for job in jobs:
                make(job)
                progress.update()
            return
        with multiprocessing.get_context("spawn").Pool(min(workers, len(jobs)), _start_worker) as pool:
            for _ in pool.imap_unordered(make, jobs):
                progress.update()


def camera(pose: np.ndarray, height: int, width: int, field_of_view: float = FIELD_OF_VIEW) -> Camera:
    """A camera with square pixels at an OpenCV camera-to-world pose [4, 4].

    field_of_view: horizontal, degrees.
    """
    focal = float(0.5 * width / np.tan(np.radians(field_of_view) / 2))
    return Camera.from_focal(
        focal, focal, (width - 1) / 2, (height - 1) / 2, torch.from_numpy(pose), height, width
    )


def _job(root: Path, seed: int, height: int, width: int, num_views: int) -> Job:
    folder = Path(root) / f"v{VERSION}_{height}x{width}_{num_views}" / names([seed])[0]
    return Job(folder, int(seed), height, width, num_views)


def _complete(job: Job) -> bool:
    if not (job.folder / FILE_NAME).is_file():
        return False
    counts = [len(list((job.folder / name).glob("*.png"))) for name in FOLDERS.values()]
    return counts == [job.num_views] * len(FOLDERS)


def _start_worker() -> None:
    """One thread per worker, as more would compete for the same cores; Ctrl-C is left to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _make(job: Job) -> None:
    write_whole(job.folder, lambda partial: write_transforms(job, partial), lambda: _complete(job))


def write_whole(folder: Path, write: Callable[[Path], None], is_whole: Callable[[], bool]) -> None:
    """Has `write` fill a folder of its own, which becomes `folder` only when it is done.

    is_whole: whether `folder` is there by now, made by another process; then it stays.
    """
    partial = folder.with_name(f"{folder.name}.partial{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        write(partial)
        if not is_whole():
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def shots(job: Job) -> Iterator[tuple[Camera, Picture]]:
    """Draws the views of a room one by one, in walking order."""
    room = make_room(job.seed)
    tracer = Tracer(room)
    for pose in room.loop.poses(job.num_views):
        shot = camera(pose, job.height, job.width, job.field_of_view)
        yield shot, tracer.draw(shot)


def write_transforms(job: Job, folder: Path) -> None:
    """Writes all views of a room and its transforms.json into the empty `folder`."""
    for name in FOLDERS.values():
        (folder / name).mkdir()
    frames, ranges = [], []
    for index, (shot, picture) in enumerate(shots(job)):
        frames.append(_write_frame(folder, index, picture, shot))
        ranges.append((picture.depth.min() / 1000.0, picture.depth.max() / 1000.0))
    near, far = min(low for low, _ in ranges), max(high for _, high in ranges)
    values = {
        "w": job.width,
        "h": job.height,
        "fl_x": float(shot.intrinsics[0, 0]),
        "fl_y": float(shot.intrinsics[1, 1]),
        # nerfstudio puts pixel centres at + 0.5.
        "cx": job.width / 2,
        "cy": job.height / 2,
        "near": round(0.9 * near, 3),
        "far": round(1.1 * far, 3),
        "semantic_classes": list(CLASS_NAMES),
        "frames": frames,
    }
    (folder / FILE_NAME).write_text(json.dumps(values, indent=1))


def _write_frame(folder: Path, index: int, picture: Picture, shot: Camera) -> dict:
    """Writes the four images of a view and returns its record."""
    maps = (picture.color, picture.depth, picture.semantic, picture.instance)
    record: dict = {}
    for (key, name), pixels in zip(FOLDERS.items(), maps, strict=True):
        record[key] = f"{name}/{index:04d}.png"
        write_image(folder / record[key], pixels)
    record["transform_matrix"] = (shot.camera_to_world @ OPENGL_TO_OPENCV).tolist()
    return record
