"""Keys of transforms.json: which are read, which are harmless, which end in a warning or a refusal.

They come from nerfstudio, from instant-ngp, and from programs that write files for them. A key that is not
read although it changes the meaning of the files ends in a warning, or in a refusal if the scene would
be read wrongly.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from gpnerf.datasets.files.records import Record, printable
from gpnerf.datasets.transforms.text import LENS_KEYS, FrameRecord, SceneText
from gpnerf.system.errors import Faults

# Read at the top level, for all frames at once.
OF_THE_SCENE = (
    "near", "far", "ply_file_path", "depth_unit_scale_factor", "integer_depth_scale", "enable_depth_loading",
    "semantic_classes", "ignore_label", "no_object_id", "labels_made_by", "train_filenames",
    "val_filenames", "test_filenames",
)  # fmt: skip
# Read in a frame, or at the top level for all frames that lack them.
OF_A_FRAME = (
    "file_path", "depth_file_path", "depth_path", "semantic_path", "instance_path", "mask_path",
    "transform_matrix", "camera_model", "is_fisheye", "w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x",
    "camera_angle_y", "x_fov", "y_fov", "distortion_params", *LENS_KEYS,
)  # fmt: skip
# Known keys that need not be read -> why.
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
    **dict.fromkeys(
        ("id", "name", "image_id", "image_name", "frame_number", "num_frames", "device", "gps"),
        "a note on the frame",
    ),
    **dict.fromkeys(
        ("version", "comment", "description", "author", "license", "generator", "made_by", "created", "date"),
        "a note on the file",
    ),
    **dict.fromkeys(
        ("sharpness", "blur_score", "exposure", "exposure_time", "iso", "motion_blur"),
        "photographs are taken as they are",
    ),
    "camera_type": "a lens that cannot be read is refused",
}
# Known keys that are not read, with a warning -> what they would have meant.
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
# Keys of scenes that would be read wrongly -> what is expected instead, and the remedy.
REFUSED = {
    **dict.fromkeys(
        ("is_fisheye", "fisheye", "ftheta_p0", "latlong", "equirectangular"), (PINHOLE, UNDISTORT)
    ),
    **dict.fromkeys(
        ("from_na", "normal_mts_args"),
        (
            "absent, as poses are read in the axes of nerfstudio (this key stands for other axes)",
            "turn the poses and remove the key",
        ),
    ),
}
CAMERA_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV")
# Values of `camera_type` for lenses that bend straight lines.
FOREIGN_TYPE = re.compile("fisheye|equirect|panoram|spheric|omni|vr180", re.IGNORECASE)
# Similarity (0 to 1) from which an unknown key is taken for a misspelt known one.
ALIKE = 0.6


def check_keys(text: SceneText, faults: Faults) -> list[str]:
    """Writes a sentence for every key that is not read as it was meant.

    A key whose frames would be read wrongly is added to `faults`, once for all frames.
    """
    for key, (expected, remedy) in REFUSED.items():
        _refuse(text, key, expected, remedy, faults)
    _refuse_cameras(text, faults)
    _refuse_motion(text, faults)
    _refuse_scene_keys(text, faults)
    return [*_not_read(text), *_unknown(text)]


def is_foreign(frame: Record) -> bool:
    """Whether the camera model of a frame is not supported."""
    model = frame.values.get("camera_model")
    return model is not None and (not isinstance(model, str) or model.upper() not in CAMERA_MODELS)


def _is_foreign_type(frame: Record) -> bool:
    return FOREIGN_TYPE.search(str(frame.values.get("camera_type"))) is not None


def is_refused(frame: FrameRecord) -> bool:
    """Whether check_keys refuses the frame, so that it is not read."""
    values = frame.record.values
    foreign = is_foreign(frame.record) or _is_foreign_type(frame.record)
    return foreign or any(_is_set(values.get(key)) for key in REFUSED)


def _refuse(text: SceneText, key: str, expected: str, remedy: str, faults: Faults) -> None:
    found = [frame.record for frame in text.frames if _is_set(frame.record.values.get(key))]
    _add_fault(found, key, expected, remedy, faults)


def _refuse_cameras(text: SceneText, faults: Faults) -> None:
    foreign = [frame.record for frame in text.frames if is_foreign(frame.record)]
    _add_fault(foreign, "camera_model", f"{PINHOLE} ({', '.join(CAMERA_MODELS)})", UNDISTORT, faults)
    bent = [frame.record for frame in text.frames if _is_foreign_type(frame.record)]
    _add_fault(bent, "camera_type", PINHOLE, UNDISTORT, faults)


def _refuse_motion(text: SceneText, faults: Faults) -> None:
    """Adds a fault for frames of different times: a moving scene cannot be rendered from other views."""
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
        _add_fault(others, key, "the same for all frames, at the top level", "state it once there", faults)


def _add_fault(records: Sequence[Record], key: str, expected: str, remedy: str, faults: Faults) -> None:
    """Adds one fault for all these frames; it names the first."""
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
    """Writes one sentence for all keys that are in no table and have a value."""
    known = {*OF_THE_SCENE, *OF_A_FRAME, *HARMLESS, *NOT_READ, *REFUSED, "time", "n_frames", "frames"}
    counts = Counter(key for frame in text.frames for key in frame.own)
    top = {key for key, value in text.top.values.items() if value is not None}
    found = [_described(key, counts[key]) for key in sorted({*counts, *top} - known)]
    if not found:
        return []
    return [
        f"{text.top.place}: these keys are unknown and not used: {', '.join(found)}; correct their names, "
        "or remove them if they mean nothing."
    ]


def _described(key: str, frames: int) -> str:
    """Describes an unknown key: its name, the number of frames that have it, and a similar known key."""
    meant = difflib.get_close_matches(key.lower(), (*OF_THE_SCENE, *OF_A_FRAME), 1, ALIKE)
    where = f" in {frames} frames" if frames else ""
    return f"'{printable(key)}'{where}" + (f" (did you mean '{meant[0]}'?)" if meant else "")


def _is_set(value: Any) -> bool:
    """Whether a value means anything else than a missing key; false, 0 and lists of them do not."""
    return any(value) if isinstance(value, (list, tuple)) else bool(value)
