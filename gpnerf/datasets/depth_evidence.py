"""What shows the depth of a scene: its depth maps, its sparse points, or matches between its photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from gpnerf.datasets import matches
from gpnerf.datasets.files.ply import read_points
from gpnerf.datasets.scene import Scene
from gpnerf.system.errors import DataError, Faults

MAPS_READ = 8
# Sparse points are projected into at most this many photographs, spread over the scene.
FRAMES_USED = 256
# Largest number of photographs that are matched.
PHOTOGRAPHS = 40
# Pixels; maps and photographs are read at most this long, which is quick.
LONGER_SIDE = 640
# Smallest number of different points, and smallest share of the points that project into some photograph.
LEAST_POINTS, LEAST_SEEN = 10, 0.5
LEAST_MATCHES = 50
# Largest share of the depth that a range may leave out. Points behind a wall are projected too, and some
# matches are wrong.
OUTSIDE_OF_MAPS, OUTSIDE_OF_POINTS = 0.02, 0.5


class Evidence(NamedTuple):
    """z-depths that a source shows.

    source: words for it, or for why it shows nothing. depths: frame -> z-depths [N] above 0, N > 0. outside:
    largest share of them that a range may leave out.
    """

    source: str
    depths: Mapping[int, np.ndarray]
    outside: float


def nothing(reason: str) -> Evidence:
    return Evidence(reason, {}, 0.0)


def spread(items: Sequence, most: int) -> list:
    """Chooses at most `most` items, evenly spaced, the first and the last among them."""
    chosen = {int(index) for index in np.linspace(0, len(items) - 1, min(most, len(items)))}
    return [items[index] for index in sorted(chosen)]


def frames_with_maps(scene: Scene, frames: Sequence[int]) -> list[int]:
    """Chooses the frames whose depth maps are measured."""
    return spread([frame for frame in frames if scene.index.files["depth"][frame]], MAPS_READ)


def depth_of_maps(scene: Scene, frames: Sequence[int], faults: Faults) -> Evidence:
    """Reads some of the depth maps of `frames`; those that cannot be read are added to `faults`."""
    chosen = frames_with_maps(scene, frames)
    if not chosen:
        return nothing("no depth maps")
    depths = {}
    for frame in chosen:
        with faults.collected():
            depth = scene.read_map(frame, "depth", *_size(scene, frame)).numpy()
            if (depth > 0.0).any():
                depths[frame] = depth[depth > 0.0]
    if not depths:
        return nothing(f"no known depth in {len(chosen)} depth maps")
    return Evidence(f"{len(chosen)} depth maps", depths, OUTSIDE_OF_MAPS)


def depth_of_points(scene: Scene, frames: Sequence[int], faults: Faults) -> Evidence:
    """Projects the sparse points of a scene into `frames`.

    A file of points that cannot be used is no fault, as others may show the depth: it becomes the reason.
    """
    index = scene.index
    if not index.points:
        return nothing(index.no_points)
    chosen = spread(frames, FRAMES_USED)
    try:
        points = read_points(scene.folder / index.points)
        cameras = (column[chosen] for column in (index.intrinsics, index.poses, index.sizes))
        found, seen = project_points(points, *cameras)
        _check_points(index.points, points, seen)
    except DataError as error:
        return nothing(str(error).removesuffix("."))
    depths = {frame: one for frame, one in zip(chosen, found, strict=True) if len(one)}
    return Evidence(f"{len(points):,} points of {index.points}", depths, OUTSIDE_OF_POINTS)


def project_points(
    points: np.ndarray, intrinsics: np.ndarray, poses: np.ndarray, sizes: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Projects points [N, 3] into M photographs.

    Returns the z-depths of those that each photograph contains, M times [K], and bool [N], whether any
    photograph contains the point.

    intrinsics: [M, 3, 3]; poses: [M, 4, 4] camera-to-world, OpenCV axes; sizes: [M, 2] height and width.
    """
    depths, seen = [], np.zeros(len(points), bool)
    for matrix, pose, size in zip(intrinsics, poses, sizes, strict=True):
        in_camera = (points - pose[:3, 3]) @ pose[:3, :3]
        front = in_camera[:, 2] > 0.0
        pixels = in_camera[front] @ matrix.T
        pixels = pixels[:, :2] / pixels[:, 2:]
        inside = ((pixels >= -0.5) & (pixels <= size[::-1] - 0.5)).all(axis=1)
        falls = np.flatnonzero(front)[inside]
        seen[falls] = True
        depths.append(in_camera[falls, 2])
    return depths, seen


def _check_points(name: str, points: np.ndarray, seen: np.ndarray) -> None:
    """Raises DataError where too few points project into photographs, or too few of these differ."""
    different = len(np.unique(points[seen], axis=0))
    if seen.mean() < LEAST_SEEN or different < LEAST_POINTS:
        raise DataError(
            f"{name}: expected {LEAST_POINTS} points or more in the coordinates of the poses, found "
            f"{seen.mean():.0%} of {len(points):,} points in a photograph, at {different} different places; "
            "write points and poses from one model."
        )


def photographs_to_match(frames: Sequence[int]) -> list[int]:
    """Chooses the frames whose photographs are matched."""
    return spread(frames, PHOTOGRAPHS)


def depth_of_matches(scene: Scene, frames: Sequence[int], faults: Faults) -> Evidence:
    """Triangulates matches between some of the photographs of `frames` with the poses, which takes seconds.

    Photographs that cannot be read are added to `faults`.
    """
    chosen = photographs_to_match(frames)
    pairs = matches.pairs_to_match(scene.index.poses[chosen])
    if not pairs:
        return nothing("no two photographs that look the same way from different places")
    progress = tqdm(chosen, desc=f"Depth range of {scene.name}", unit="photograph", leave=False)
    views = [_Photograph.read(scene, frame, faults) for frame in progress]
    agreeing, depths = 0, {frame: [] for frame in chosen}
    for first, second in pairs:
        found = views[first].triangulated(views[second])
        agreeing += int(np.count_nonzero(found.agree))
        for frame, column in ((chosen[first], 0), (chosen[second], 1)):
            depths[frame].append(found.depths[found.usable, column])
    joined = {frame: np.concatenate(found) for frame, found in depths.items() if sum(map(len, found))}
    usable = sum(map(len, joined.values())) // 2
    if usable < LEAST_MATCHES:
        return nothing(
            f"{usable} matches of {len(chosen)} photographs that fit the poses with a parallax of "
            f"{matches.LEAST_PARALLAX:g} degrees or more (needed: {LEAST_MATCHES}; with less parallax: "
            f"{agreeing - usable})"
        )
    return Evidence(f"{usable:,} matches of {len(chosen)} photographs", joined, OUTSIDE_OF_POINTS)


class _Photograph(NamedTuple):
    """Features of a photograph and its camera."""

    features: matches.Features
    camera: matches.Pinhole

    @staticmethod
    def read(scene: Scene, frame: int, faults: Faults) -> _Photograph:
        """Reads it without distortion and border; one that cannot be read has no features."""
        height, width = _size(scene, frame)
        intrinsics = scene.view(frame).camera.resized(height, width).intrinsics.double().numpy()
        features = matches.NONE
        with faults.collected():
            image, mask = scene.read_image(frame, height, width), scene.read_mask(frame, height, width)
            pixels = (image.permute(1, 2, 0).numpy() * 255.0).round().astype(np.uint8)
            features = matches.find_features(pixels, None if mask is None else mask.numpy())
        return _Photograph(features, matches.Pinhole(intrinsics, scene.index.poses[frame]))

    def triangulated(self, other: _Photograph) -> matches.Triangulated:
        rows = matches.mutual_matches(self.features.descriptors, other.features.descriptors)
        pixels = self.features.pixels[rows[:, 0]], other.features.pixels[rows[:, 1]]
        return matches.triangulate(self.camera, other.camera, *pixels)


def _size(scene: Scene, frame: int) -> tuple[int, int]:
    """(height, width) of a photograph, scaled down to LONGER_SIDE."""
    camera = scene.view(frame).camera
    scale = min(1.0, LONGER_SIDE / max(camera.height, camera.width))
    return max(1, round(scale * camera.height)), max(1, round(scale * camera.width))
