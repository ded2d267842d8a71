"""The camera path of a video, from the options of render.py."""

from __future__ import annotations

import logging
import math
from argparse import Namespace
from pathlib import Path

from gpnerf.commands.video_options import INTERPOLATE, ORBIT
from gpnerf.datasets.path_file import read_camera_path
from gpnerf.datasets.path_world import into_scene
from gpnerf.datasets.scene import Scene
from gpnerf.geometry.camera_path import CameraPath
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.trajectories import interpolate, orbit
from gpnerf.system.errors import ConfigError

log = logging.getLogger("render")

KINDS = {INTERPOLATE: interpolate, ORBIT: orbit}


def path_name(options: Namespace) -> str:
    """Names the path in the names of folders."""
    return options.path if options.path in KINDS else Path(options.path).stem


def video_path(options: Namespace, scene: Scene) -> CameraPath:
    """The cameras of all frames, in the world of the scene and in the size of the video."""
    named = options.path in KINDS
    if named and options.path_transform:
        raise ConfigError(
            f"Expected --path FILE with --path_transform, found --path {options.path}, which is in the world "
            "of the scene already; leave --path_transform out."
        )
    path = _through_photographs(options, scene) if named else _from_file(options, scene)
    return path.sized(*options.video_size) if options.video_size else path


def _through_photographs(options: Namespace, scene: Scene) -> CameraPath:
    """A path that follows from the poses of the photographs, with the intrinsics of the first one."""
    poses = KINDS[options.path](scene.poses, options.frames, math.sqrt(scene.near * scene.far))
    intrinsics = scene.cameras(options.height, options.width).intrinsics[0].double()
    cameras = Camera(intrinsics.expand(len(poses), 3, 3), poses, options.height, options.width)
    return CameraPath(cameras, options.fps)


def _from_file(options: Namespace, scene: Scene) -> CameraPath:
    path = read_camera_path(Path(options.path))
    if options.path_transform:
        path = into_scene(path, Path(options.path_transform), scene.folder)
    height, width = options.video_size or (path.cameras.height, path.cameras.width)
    log.info(f"{options.path}: {len(path)} frames of {height}x{width} pixels at {path.fps:g} per second.")
    return path
