"""A camera path that a client records key by key, and the job of rendering it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from gpnerf.datasets.path_file import write_camera_path
from gpnerf.geometry.camera_path import FPS, CameraPath
from gpnerf.geometry.trajectories import interpolate
from gpnerf.media.video import write_video
from gpnerf.rendering.fade import Sources
from gpnerf.system.errors import ConfigError
from gpnerf.viewer.renderer import Rendering
from gpnerf.viewer.session import Task
from gpnerf.viewer.viewpoint import Viewpoint, size_of

# A path waits until no camera moves and no client waits for a finer frame.
LAST = 100
FILE_NAME, VIDEO_NAME = "camera_path.json", "camera_path.mp4"


class Recorder:
    """The keys of a path. Field of view and shape of the picture are those of the first key."""

    def __init__(self, pixels: int, depth: float) -> None:
        """pixels: of a frame. depth: a usual z-depth of the scene, see trajectories.interpolate."""
        self.pixels, self.depth = pixels, depth
        self.keys: list[Viewpoint] = []

    def add(self, viewpoint: Viewpoint) -> None:
        """Adds a key, unless the camera has not moved since the last one."""
        if not (self.keys and viewpoint.same_as(self.keys[-1])):
            self.keys.append(viewpoint)

    def clear(self) -> None:
        """Forgets all keys."""
        self.keys.clear()

    def path(self, seconds: float) -> CameraPath:
        """A smooth path through the keys in this time; raises ConfigError for fewer than two keys."""
        if len(self.keys) < 2:
            raise ConfigError(
                f"Expected a path of at least two keys, found {len(self.keys)}; move the camera and add "
                "another one."
            )
        frames, first = max(2, round(seconds * FPS)), self.keys[0]
        poses = interpolate(torch.stack([key.camera_to_world for key in self.keys]), frames, self.depth)
        fov = torch.full((frames,), first.fov, dtype=torch.float64)
        return CameraPath.of(poses, fov, *size_of(first.aspect, self.pixels))


def file_of(path: CameraPath) -> bytes:
    """The content of a camera_path.json."""
    return _written(FILE_NAME, lambda file: write_camera_path(file, path))


class PathJob:
    """Renders the frames of a path one after the other, as a client of the worker."""

    def __init__(
        self,
        path: CameraPath,
        weights: Sequence[Mapping[Sources, float]],
        paint: Callable[[Rendering], np.ndarray],
        advance: Callable[[float], None],
        report: Callable[[str], None],
    ) -> None:
        """weights: of the source views of each frame, see SceneRenderer. paint: a rendering -> its picture.
        advance: takes the finished share. report: takes a sentence about a fault, which ends the job.
        """
        self.path, self.weights = path, weights
        self.paint, self.advance, self.report = paint, advance, report
        self.frames: list[np.ndarray] = []
        self.closed = False

    def close(self) -> None:
        """Ends the job, as nobody waits for it any more."""
        self.closed = True

    def task(self) -> Task | None:
        if self.closed or len(self.frames) == len(self.path):
            return None
        number = len(self.frames)
        camera = self.path.cameras[number]
        return Task(Viewpoint.of(camera), camera.height * camera.width, LAST, self.weights[number])

    def wants(self, task: Task) -> bool:
        return not self.closed

    def finish(self, task: Task, rendering: Rendering) -> None:
        if not self.closed:
            self.frames.append(self.paint(rendering))
            self.advance(len(self.frames) / len(self.path))

    def fail(self, task: Task, sentence: str) -> None:
        if not self.closed:
            self.close()
            self.report(sentence)

    def video(self) -> bytes:
        """The content of an mp4 with the frames."""
        return _written(VIDEO_NAME, lambda file: write_video(file, self.frames, self.path.fps))


def _written(name: str, write: Callable[[Path], None]) -> bytes:
    """What `write` puts into a file of this name."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        write(file)
        return file.read_bytes()
