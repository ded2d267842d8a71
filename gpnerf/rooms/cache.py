"""Makes rooms on first use and keeps them on disk in the layout of transforms.json.

A room is the folder <root>/v<version>_<height>x<width>_<views>/room_<seed>/. The path names everything that
decides the content.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gpnerf.rooms.exports.transforms import FILE_NAME, FOLDERS, write_transforms
from gpnerf.rooms.making import make_all, write_folder
from gpnerf.rooms.shots import VERSION, Job, Shoot, names


def prepare(
    root: Path, seeds: Sequence[int], height: int, width: int, num_views: int, workers: int = 2
) -> list[Path]:
    """Makes the missing rooms, `workers` at a time, with a progress bar; returns the folders of all rooms."""
    shoot = Shoot(height, width, num_views)
    top = Path(root) / f"v{VERSION}_{height}x{width}_{num_views}"
    jobs = [Job(top / name, int(seed), shoot) for seed, name in zip(seeds, names(seeds), strict=True)]
    make_all(_make, [job for job in jobs if not _complete(job)], workers)
    return [job.folder for job in jobs]


def _make(job: Job) -> None:
    write_folder(job.folder, lambda partial: write_transforms(job, partial), lambda: _complete(job))


def _complete(job: Job) -> bool:
    if not (job.folder / FILE_NAME).is_file():
        return False
    counts = [len(list((job.folder / name).glob("*.png"))) for name in FOLDERS.values()]
    return counts == [job.shoot.num_views] * len(FOLDERS)
