"""Tiny recordings in the formats that scripts/convert.py reads, all of the same two cameras.

The first camera stands at the origin and looks along z, the second at (0.5, 0, 0) and looks along x, with y
down in both. Depth is 4 m everywhere but in the first pixel. The numbers of each format are written by hand.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gpnerf.media.images import write_image

HEIGHT, WIDTH = 6, 8
HALF = math.sqrt(0.5)
# Camera-to-world with OpenCV's axes: columns right, down, forwards.
FIRST = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
SECOND = [[0, 0, 1, 0.5], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]]
# With OpenGL's: columns right, up, backwards.
FIRST_GL = [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]]
SECOND_GL = [[0, 0, -1, 0.5], [0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]]
# What both cameras see 1 m to the right, 0.5 m below and 4 m in front of them.
POINTS = [[1.0, 0.5, 4.0], [4.5, 0.5, -1.0]]
DEPTH = 4.0


def save(path: Path, number: int, height: int = HEIGHT, width: int = WIDTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((height, width, 3), 40 * number + 20, np.uint8))


def save_depth(path: Path, unit: float, height: int = HEIGHT, width: int = WIDTH) -> None:
    """A 16-bit map of DEPTH with this many stored units per metre, unknown in the first pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full((height, width), round(DEPTH * unit), np.uint16)
    values[0, 0] = 0
    write_image(path, values)


def save_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def nice_slam(folder: Path) -> Path:
    scene = folder / "room0"
    for number in range(2):
        save(scene / f"results/frame{number:06d}.jpg", number)
        save_depth(scene / f"results/depth{number:06d}.png", 6553.5)
    rows = [" ".join(str(value) for row in pose for value in row) for pose in (FIRST, SECOND)]
    save_text(scene / "traj.txt", "\n".join(rows) + "\n")
    camera = {"w": WIDTH, "h": HEIGHT, "fx": 4.0, "fy": 4.0, "cx": 3.5, "cy": 2.5, "scale": 6553.5}
    save_text(folder / "cam_params.json", json.dumps({"camera": camera}))
    return scene


def tum(folder: Path) -> Path:
    """Photographs at 1.00, 1.05 and 9 s; poses shortly after the first two, none at the third."""
    scene = folder / "rgbd_dataset_freiburg3_desk"
    times = ("1.000000", "1.050000", "9.000000")
    for number, time in enumerate(times):
        save(scene / f"rgb/{time}.png", number, 480, 640)
    save_depth(scene / "depth/1.010000.png", 5000, 480, 640)
    save_text(scene / "rgb.txt", "# color images\n" + "".join(f"{time} rgb/{time}.png\n" for time in times))
    save_text(scene / "depth.txt", "# depth maps\n1.010000 depth/1.010000.png\n")
    poses = f"0.9 9 9 9 0 0 0 1\n1.019 0 0 0 0 0 0 1\n1.051 0.5 0 0 0 {HALF} 0 {HALF}\n"
    save_text(scene / "groundtruth.txt", f"# timestamp tx ty tz qx qy qz qw\n{poses}")
    return scene


def polycam(folder: Path) -> Path:
    scene = folder / "raw"
    for number, pose in enumerate((FIRST_GL, SECOND_GL)):
        name = f"5000{number}"
        save(scene / f"keyframes/images/{name}.jpg", number)
        save_depth(scene / f"keyframes/depth/{name}.png", 1000)
        entries = {f"t_{row}{column}": pose[row][column] for row in range(3) for column in range(4)}
        camera = {"fx": 4.0, "fy": 4.0, "cx": 4.0, "cy": 3.0, "width": WIDTH, "height": HEIGHT}
        save_text(
            scene / f"keyframes/cameras/{name}.json", json.dumps({**camera, **entries, "blur_score": 1.0})
        )
    return scene


def record3d_values() -> dict:
    """metadata of Record3D; the quaternions are those of FIRST_GL and SECOND_GL."""
    poses = [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [HALF, 0.0, -HALF, 0.0, 0.5, 0.0, 0.0]]
    intrinsics = [4.0, 0.0, 0.0, 0.0, 4.0, 0.0, 4.0, 3.0, 1.0]
    return {"w": WIDTH, "h": HEIGHT, "dw": 4, "dh": 3, "fps": 60, "K": intrinsics, "poses": poses}


def record3d(folder: Path, packed: Callable[[bytes], bytes] = bytes) -> Path:
    """A .r3d file. packed: compresses its depth maps, which have half the size of its photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recording.r3d"
    depth = np.full((3, 4), DEPTH, np.float32)
    depth[0, 0] = np.nan
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata", json.dumps(record3d_values()))
        for number in range(2):
            save(folder / f"{number}.jpg", number)
            archive.write(folder / f"{number}.jpg", f"rgbd/{number}.jpg")
            archive.writestr(f"rgbd/{number}.depth", packed(depth.tobytes()))
    return path


def scannetpp_iphone(folder: Path) -> Path:
    scene = folder / "0a1b2c"
    entries = {}
    for number, pose in enumerate((FIRST, SECOND)):
        name = f"frame_{10 * number:06d}"
        save(scene / f"iphone/rgb/{name}.jpg", number)
        save_depth(scene / f"iphone/depth/{name}.png", 1000)
        intrinsic = [[4.0, 0.0, 3.5], [0.0, 4.0, 2.5], [0.0, 0.0, 1.0]]
        entries[name] = {"pose": (np.eye(4) * 7).tolist(), "aligned_pose": pose, "intrinsic": intrinsic}
    save_text(scene / "iphone/pose_intrinsic_imu.json", json.dumps({**entries, "frame_000005": {}}))
    return scene


def scannetpp_dslr(folder: Path) -> Path:
    """A photograph to train on, one to test, and a bad one."""
    scene, frames = folder / "0a1b2c", []
    for number, pose in enumerate((FIRST_GL, SECOND_GL, FIRST_GL)):
        name = f"DSC0000{number}.JPG"
        save(scene / f"dslr/resized_undistorted_images/{name.replace('.JPG', '.jpg')}", number)
        image = scene / f"dslr/resized_undistorted_images/{name.replace('.JPG', '.jpg')}"
        image.rename(image.with_name(name))
        frames.append({"file_path": name, "transform_matrix": pose, "is_bad": number == 2})
    camera = {
        "fl_x": 4.0,
        "fl_y": 4.0,
        "cx": 4.0,
        "cy": 3.0,
        "w": WIDTH,
        "h": HEIGHT,
        "camera_model": "PINHOLE",
    }
    values = {**camera, "frames": [frames[0], frames[2]], "test_frames": [frames[1]]}
    save_text(scene / "dslr/nerfstudio/transforms_undistorted.json", json.dumps(values))
    return scene


def llff(folder: Path) -> Path:
    """Images of half the size for which the poses are stated, 12x16 with a focal length of 8."""
    scene = folder / "fern"
    for number in range(2):
        save(scene / f"images/IMG_{number}.png", number)
    # Columns: down, right, backwards, position, (height, width, focal length).
    first = [[0, 1, 0, 0, 12], [1, 0, 0, 0, 16], [0, 0, -1, 0, 8]]
    second = [[0, 0, -1, 0.5, 12], [1, 0, 0, 0, 16], [0, -1, 0, 0, 8]]
    rows = [np.array(pose, np.float64).ravel().tolist() for pose in (first, second)]
    np.save(scene / "poses_bounds.npy", np.array([[*rows[0], 1.5, 9.0], [*rows[1], 2.0, 12.0]]))
    return scene


WRITERS = {
    "nice_slam": nice_slam,
    "tum": tum,
    "polycam": polycam,
    "record3d": record3d,
    "scannetpp_iphone": scannetpp_iphone,
    "scannetpp_dslr": scannetpp_dslr,
    "llff": llff,
}
