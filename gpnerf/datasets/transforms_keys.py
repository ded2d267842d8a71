"""The keys of transforms.json: those that are read, those that need not be, and those that are missed.

They come from nerfstudio, instant-ngp and what writes files for them. A key that would change what the
files mean, and is not read, ends in a warning or, where results would be wrong, in a refusal.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from gpnerf.datasets.frame_records import LENS_KEYS, FrameRecord, SceneText
from gpnerf.datasets.records import Record
from gpnerf.errors import Faults

# Read at the top level, where they mean all frames at once.
OF_THE_SCENE = (
    "near", "far", "ply_file_path", "depth_unit_scale_factor", "integer_depth_scale", "enable_depth_loading",
    "semantic_classes", "ignore_label", "train_filenames", "val_filenames", "test_filenames",
)  # fmt: skip
# Read in a frame, or at the top level for all frames that lack them.
OF_A_FRAME = (
    "file_path", "depth_file_path", "depth_path", "semantic_path", "instance_path", "mask_path",
    "transform_matrix", "camera_model", "is_fisheye", "w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x",
    "camera_angle_y", "x_fov", "y_fov", "distortion_params", *LENS_KEYS,
)  # fmt: skip
# Known, and rightly passed over: why.
HARMLESS = {
    **dict.fromkeys(("aabb", "aabb_scale", "render_aabb", "scale", "offset", "up"), "instant-ngp's own box"),
    **dict.fromkeys(("sharpen", "importance_sampling", "n_extra_learnable_dims"), "instant-ngp's training"),
    "enable_ray_loading": "there are no files of rays",
    "applied_transform": "poses and points are written in the world after it",
    "applied_scale": "poses, points and depth are written after it",
    "orientation_override": "poses are taken as written",
    "auto_scale_poses_override": "poses are taken as written",
    **dict.fromkeys(
        ("colmap_im_id", "frame_id", "camera_id", "rotation", "timestamp"), "a note on the frame"
    ),
    **dict.fromkeys(("sharpness", "exposure", "motion_blur"), "photographs are taken as they are"),
}
# Known and not read: what they would have meant.
NOT_READ = {
    "white_transparent": "white pixels would be transparent",
    "black_transparent": "black pixels would be transparent",
    "fix_premult": "colours would be divided by alpha",
    "envmap": "the light from far away would be known",
    "sharpness_discard_threshold": "blurred frames would be left out",
    "rolling_shutter": "rows of a photograph would have poses of their own",
    "transform_matrix_start": "the camera would move during the exposure",
    "transform_matrix_end": "the camera would move during the exposure",
    "driver_parameters": "the light would differ from frame to frame",
    "lidar": "depth would be measured by a scanner",
    **dict.fromkeys(("normal_path", "normal_file_path"), "surface normals would be known"),
}
PINHOLE = "a pinhole camera with OpenCV distortion"
UNDISTORT = "undistort the images first with ns-process-data or COLMAP's image_undistorter"
# What would be read wrongly: what is expected instead, and the remedy.
REFUSED = {
    **dict.fromkeys(("is_fisheye", "ftheta_p0", "latlong", "equirectangular"), (PINHOLE, UNDISTORT)),
    **dict.fromkeys(
        ("from_na", "normal_mts_args"),
        (
            "absent, as poses are read in the axes of nerfstudio (this key stands for other axes)",
            "turn the poses and remove the key",
        ),
    ),
}
CAMERA_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV")
# How alike an unknown key must be to one that is read to be taken for a misspelling.
ALIKE = 0.85
PATH_LIKE = re.compile(r".*(path|file|filename)s?")


def check_keys(text: SceneText, faults: Faults) -> list[str]:
    """A sentence for every key that is not read as it was meant; what would be read wrongly goes to
    `faults`, one sentence for all frames of a kind."""
    for key, (expected, remedy) in REFUSED.items():
        _refuse(text, key, expected, remedy, faults)
    _refuse_cameras(text, faults)
    _refuse_motion(text, faults)
    _refuse_scene_keys(text, faults)
    return [*_not_read(text), *_unknown(text)]


def is_foreign(frame: Record) -> bool:
    """Whether the frame's camera is not one that can be read."""
    model = frame.values.get("camera_model")
    return model is not None and (not isinstance(model, str) or model.upper() not in CAMERA_MODELS)


def is_refused(frame: FrameRecord) -> bool:
    """Whether check_keys has told a fault of it."""
    return is_foreign(frame.record) or any(_is_set(frame.record.values.get(key)) for key in REFUSED)


def _refuse(text: SceneText, key: str, expected: str, remedy: str, faults: Faults) -> None:
    found = [frame.record for frame in text.frames if _is_set(frame.record.values.get(key))]
    _tell(found, key, expected, remedy, faults)


def _refuse_cameras(text: SceneText, faults: Faults) -> None:
    foreign = [frame.record for frame in text.frames if is_foreign(frame.record)]
    _tell(foreign, "camera_model", f"{PINHOLE} ({', '.join(CAMERA_MODELS)})", UNDISTORT, faults)


def _refuse_motion(text: SceneText, faults: Faults) -> None:
    """Frames of different times show different things: nothing in them can be looked up in another."""
    times = {repr(frame.own["time"]) for frame in text.frames if "time" in frame.own}
    if len(times) > 1:
        faults.add(
            f"{text.top.place}: expected a scene that does not change, found {len(times)} different values "
            "of 'time' in its frames; take the frames of one time, or rename the key to 'timestamp' if "
            "nothing moves."
        )


def _refuse_scene_keys(text: SceneText, faults: Faults) -> None:
    for key in OF_THE_SCENE:
        value = text.top.values.get(key)
        others = [frame.record for frame in text.frames if frame.record.values.get(key) not in (None, value)]
        _tell(others, key, "the same for all frames, at the top level", "state it once there", faults)


def _tell(records: Sequence[Record], key: str, expected: str, remedy: str, faults: Faults) -> None:
    """One fault for all these frames, told of the first."""
    if records:
        others = f" (likewise {len(records) - 1} more frames)" if len(records) > 1 else ""
        faults.add(str(records[0].fault(key, expected, f"{remedy}{others}")))


def _not_read(text: SceneText) -> list[str]:
    sentences = [
        f"{text.top.place}: '{key}' is not used ({meaning})."
        for key, meaning in NOT_READ.items()
        if any(_is_set(frame.record.values.get(key)) for frame in text.frames)
    ]
    wanted = text.top.values.get("n_frames")
    if isinstance(wanted, int) and wanted < len(text.frames):
        sentences.append(f"{text.top.place}: 'n_frames' is not used: all {len(text.frames)} frames are read.")
    return sentences


def _unknown(text: SceneText) -> list[str]:
    """Keys that look like paths or like misspellings of what is read."""
    known = {*OF_THE_SCENE, *OF_A_FRAME, *HARMLESS, *NOT_READ, *REFUSED, "time", "n_frames", "frames"}
    counts = Counter(key for frame in text.frames for key in frame.own)
    sentences = []
    for key in sorted({*counts, *text.top.values} - known):
        meant = difflib.get_close_matches(key.lower(), (*OF_THE_SCENE, *OF_A_FRAME), 1, 0.6)
        alike = meant and difflib.SequenceMatcher(None, key.lower(), meant[0]).ratio() >= ALIKE
        if alike or PATH_LIKE.fullmatch(key.lower()):
            where = f" in {counts[key]} frames" if counts[key] else ""
            hint = f"; did you mean '{meant[0]}'?" if meant else "."
            sentences.append(f"{text.top.place}: the unknown key '{key}'{where} is not used{hint}")
    return sentences


def _is_set(value: Any) -> bool:
    """Whether a value says more than its absence would."""
    return any(value) if isinstance(value, (list, tuple)) else bool(value)
