"""Export of one scene of the official ScanNet download to the layout that the loader reads.

    <folder>/{color/N.jpg, depth/N.png, pose/N.txt, label-filt/N.png, instance-filt/N.png, intrinsic/*.txt}

Existing files are kept, so that a stopped export can continue. prepared.json records the options.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, closing

import cv2
import numpy as np
import torch

from gpnerf.geometry.cameras import Camera
from gpnerf.media.images import resize_colors, resize_values
from gpnerf.preparation.map_archive import MapArchive
from gpnerf.preparation.scannet_survey import SceneJob, Survey, survey
from gpnerf.preparation.sens import COLOR_JPEG, SensFrame, SensHeader, read_frames
from gpnerf.system.errors import DataError
from gpnerf.system.files import write_whole

# Level 3 halves the size of depth maps against OpenCV's default, and costs a few milliseconds each.
ENCODING = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95], ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3]}


def export_scene(job: SceneJob, tick: Callable[[], object], stopped: Callable[[], bool]) -> list[str]:
    """Writes the missing files of a scene; returns a sentence for every broken frame, which is left out.

    tick is called after every frame. When stopped() returns true, the export ends before the next frame.
    Raises DataError if the rest of the scene cannot be read, and OSError if a file cannot be written. No file
    is ever left incomplete.
    """
    found, faults = survey(job), []
    write_whole(job.settings_file, json.dumps(job.settings).encode())
    for name in found.matrices:
        write_whole(job.matrix_file(name), _matrix_text(_matrix(job, name, found.header)))
    wanted = found.sensor_frames
    with ExitStack() as stack:
        archives = {kind: stack.enter_context(job.open_archive(kind, found.header)) for kind in job.archives}
        recorded = stack.enter_context(closing(read_frames(found.header, wanted)))
        for number in found.frames:
            if stopped():
                return faults
            frame = next(recorded) if number in wanted else None
            try:
                files = _frame_files(job, found, number, frame, archives)
            except DataError as error:
                faults.append(str(error))
            else:
                for kind, data in files.items():
                    write_whole(job.file(kind, number), data)
            tick()
        if wanted:
            # Visits the remaining frames, so that a file cut off after the last kept frame is reported.
            next(recorded, None)
    return faults


def _frame_files(
    job: SceneJob, found: Survey, number: int, frame: SensFrame | None, archives: dict[str, MapArchive]
) -> dict[str, bytes]:
    """Makes the missing files of a frame: kind -> content. frame: None if only maps are missing."""
    files = _sensor_files(frame, job.size) if frame else {}
    for kind, archive in archives.items():
        if number in found.missing[kind]:
            files[kind] = _map_file(archive, number, job.size)
    return {kind: data for kind, data in files.items() if number in found.missing[kind]}


def _map_file(archive: MapArchive, number: int, size: tuple[int, int] | None) -> bytes:
    if size is None:
        return archive.png(number)
    return _encoded(".png", resize_values(archive.pixels(number), *size))


def _sensor_files(frame: SensFrame, size: tuple[int, int] | None) -> dict[str, bytes]:
    header = frame.header
    if size is None and header.color_codec == COLOR_JPEG:
        color = frame.jpeg()
    else:
        pixels = resize_colors(frame.color(), *(size or header.color_size))
        color = _encoded(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    depth = _encoded(".png", resize_values(frame.depth(), *(size or header.depth_size)))
    return {"color": color, "depth": depth, "pose": _matrix_text(frame.camera_to_world)}


def _encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels, ENCODING[suffix])[1].tobytes()


def _matrix(job: SceneJob, name: str, header: SensHeader) -> np.ndarray:
    """One of MATRICES [4, 4]; intrinsics are scaled with the image."""
    recorded = {"intrinsic_color": header.color_size, "intrinsic_depth": header.depth_size}.get(name)
    if job.size is None or recorded is None:
        return header.matrices[name]
    return _resized(header.matrices[name], recorded, job.size)


def _resized(matrix: np.ndarray, old: tuple[int, int], new: tuple[int, int]) -> np.ndarray:
    """Scales intrinsics [4, 4] of an image that is resized from (height, width) `old` to `new`."""
    result = matrix.astype(np.float64)
    camera = Camera(torch.from_numpy(result[:3, :3].copy()), torch.eye(4), *old)
    result[:3, :3] = camera.resized(*new).intrinsics.numpy()
    return result


def _matrix_text(matrix: np.ndarray) -> bytes:
    return "".join(" ".join(f"{value:.6f}" for value in row) + "\n" for row in matrix).encode()
