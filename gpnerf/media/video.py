"""Videos: a sequence of RGB arrays -> an mp4 that browsers and presentation programs play, and back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gpnerf.system.errors import DataError, GPNeRFError

# On imageio's scale up to 10: a constant rate factor of 15 in libx264, without visible artefacts.
QUALITY = 7
# Pixels; H.264 knows no larger frames.
LARGEST_SIDE = 8192


def write_video(path: Path | str, frames: Iterable[np.ndarray], fps: float) -> None:
    """Writes uint8 RGB frames [H, W, 3], taken one at a time, as H.264 in yuv420p.

    Odd sizes grow by one repeated row or column, because yuv420p halves the colours; nothing is rescaled.
    A killed run leaves no half-written `path`. Raises GPNeRFError if ffmpeg is not installed and DataError
    if there are no frames or their sizes differ.
    """
    path = Path(path)
    partial = path.with_name(path.stem + ".partial.mp4")
    try:
        _encode(partial, path, frames, fps)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _encode(partial: Path, path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    shape = None
    with _writer(partial, fps) as writer:
        for index, frame in enumerate(frames):
            shape = shape or frame.shape
            if frame.shape != shape:
                raise DataError(
                    f"{path}: expected frames of shape {shape} like the first, found {frame.shape} in frame "
                    f"{index}; render all frames at one size."
                )
            writer.append_data(_even(frame))
    if shape is None:
        raise DataError(f"{path}: a video needs at least one frame, found none; lengthen the camera path.")


def _writer(partial: Path, fps: float) -> Any:
    """An imageio writer of RGB frames of even size."""
    try:
        import imageio.v2 as imageio
        import imageio_ffmpeg  # noqa: F401  (imageio itself only notices at the first frame)
    except ImportError:
        raise GPNeRFError(
            'Writing a video needs ffmpeg, which is not installed: run `pip install "imageio[ffmpeg]"`.'
        ) from None
    # The default macro block of 16 would silently rescale the frames.
    return imageio.get_writer(
        partial,
        format="FFMPEG",
        fps=fps,
        codec="libx264",
        quality=QUALITY,
        pixelformat="yuv420p",
        macro_block_size=2,
        output_params=["-movflags", "+faststart"],
    )


def _even(frame: np.ndarray) -> np.ndarray:
    """[H, W, 3] with its last row and column repeated where H or W is odd."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def read_video(path: Path) -> Iterator[np.ndarray]:
    """Reads the frames of a video, upright: uint8 RGB [H, W, 3].

    Raises DataError if there is no frame that can be decoded.
    """
    video = cv2.VideoCapture(str(path))
    try:
        done, frame = video.read()
        if not done:
            raise DataError(
                f"{path}: expected a video, found a file without a frame that can be decoded; save it as an "
                "mp4 (H.264), or save its frames as photographs."
            )
        while done:
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            done, frame = video.read()
    finally:
        video.release()
