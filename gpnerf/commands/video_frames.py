"""The frames of a video on disk: those that an equal rendering wrote are kept, and become mp4 files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gpnerf.media.images import read_image, write_image
from gpnerf.media.video import write_video
from gpnerf.system.files import write_whole


class VideoFrames:
    """The frames of one or several videos of a camera path.

    folder: holds the frames, and look.pt, the colour scales. films: the names of the videos; frames of the
    film "" lie in the folder itself and become FOLDER.mp4, others in FOLDER/FILM and FOLDER_FILM.mp4.
    """

    def __init__(self, folder: Path, films: tuple[str, ...], count: int) -> None:
        self.folder, self.films, self.count = folder, films, count
        self.look = folder / "look.pt"

    def finished(self, made_by: dict[str, Any]) -> set[int]:
        """The numbers of the frames that an equal rendering wrote; frames of any other are deleted."""
        record, text = self.folder / "rendering.json", json.dumps(made_by)
        if record.is_file() and record.read_text() == text and self.look.is_file():
            return {n for n in range(self.count) if all(self._path(n, film).is_file() for film in self.films)}
        for old in [*self.folder.rglob("*.png"), *self.folder.glob(self.look.name)]:
            old.unlink()
        write_whole(record, text)
        return set()

    def write(self, number: int, pictures: dict[str, np.ndarray]) -> None:
        """Writes a frame of every film."""
        for film in self.films:
            write_image(self._path(number, film), pictures[film])

    def write_videos(self, fps: float) -> dict[Path, Path]:
        """Writes an mp4 file of every film beside the folder: the file -> the folder of its frames."""
        videos = {}
        for film in self.films:
            # with_suffix would cut the name of a scene that holds dots.
            video = self.folder.with_name("_".join(filter(None, (self.folder.name, film))) + ".mp4")
            write_video(video, self._all(film), fps)
            videos[video] = self.folder / film
        return videos

    def _all(self, film: str) -> Iterator[np.ndarray]:
        for number in range(self.count):
            yield read_image(self._path(number, film))

    def _path(self, number: int, film: str) -> Path:
        return self.folder / film / f"{number:04d}.png"
