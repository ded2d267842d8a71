"""A folder of photographs, or a video -> upright photographs in a folder of their own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from gpnerf.media.formats import PHOTOGRAPH_SUFFIXES
from gpnerf.media.images import write_image
from gpnerf.media.photographs import copy_upright
from gpnerf.media.sharpness import sharpest_of_every
from gpnerf.media.video import read_video
from gpnerf.system.errors import DataError
from gpnerf.system.wording import some

log = logging.getLogger(__name__)

# Two photographs give poses, but no third view that shows whether they are right.
FEWEST = 3


def source_files(source: Path) -> list[Path]:
    """The photographs in a folder by name, or [the video]; logs which files of the folder are no photographs.

    Raises DataError if there are none.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(
            f"{source}: expected a folder of photographs or a video, found neither; correct the path."
        )
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    found = [path for path in files if path.suffix.lower() in PHOTOGRAPH_SUFFIXES]
    others = some(path.name for path in files if path not in set(found))
    if not found:
        raise DataError(
            f"{source}: expected photographs ({', '.join(PHOTOGRAPH_SUFFIXES)}), found "
            f"{others or 'no files'}; name the folder that holds them, or save them as JPEG."
        )
    if others:
        log.warning(f"{source}: these files are no photographs, and left out: {others}.")
    return found


def copy_photographs(files: Sequence[Path], folder: Path) -> list[str]:
    """Copies photographs into `folder`, all upright; returns their names.

    Logs which cannot be read, and are left out. Raises DataError if fewer than FEWEST remain.
    """
    names, turned = [], []
    for path in tqdm(files, desc="Copying", unit="photograph"):
        try:
            if copy_upright(path, folder / path.name):
                turned.append(path.name)
        except DataError as error:
            log.warning(f"Left out: {error}")
            continue
        names.append(path.name)
    if turned:
        log.info(
            f"{len(turned)} photographs are turned upright, as their EXIF orientation says: {some(turned)}."
        )
    if len(names) < FEWEST:
        raise DataError(
            f"{files[0].parent}: expected at least {FEWEST} photographs of one scene, found {len(names)} "
            "that can be read; take more, a step apart."
        )
    return names


def save_frames(video: Path, every: int, folder: Path) -> list[str]:
    """Saves the sharpest of each `every` frames of a video in `folder`; returns their names.

    Raises DataError if they are fewer than FEWEST.
    """
    names = []
    frames = tqdm(read_video(video), desc="Reading", unit="frame")
    for number, frame in sharpest_of_every(frames, every):
        names.append(f"frame_{number:06d}.jpg")
        write_image(folder / names[-1], frame)
    if len(names) < FEWEST:
        raise DataError(
            f"{video}: expected at least {FEWEST} frames to use, found {len(names)}; film for longer, or "
            f"choose an --every below {every}."
        )
    return names
