"""Text of a scene: transforms.json, or transforms_train.json, _val and _test -> a record per frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gpnerf.datasets.files.records import Record, printable, read_json_object
from gpnerf.system.errors import DataError

FILE_NAME = "transforms.json"
# Files of the synthetic NeRF scenes and of Blender's add-ons.
SPLIT_FILES = {split: f"transforms_{split}.json" for split in ("train", "val", "test")}
FILE_NAMES = (FILE_NAME, *SPLIT_FILES.values())
LENS_KEYS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
# Keys that state the same thing: a frame that has one of them does not take the others from the top level.
ALTERNATIVES = [
    *({f"fl_{axis}", f"camera_angle_{axis}", f"{axis}_fov"} for axis in "xy"),
    *({key, "distortion_params"} for key in LENS_KEYS),
    {"depth_file_path", "depth_path"},
]


class FrameRecord(NamedTuple):
    """A frame as the file states it.

    record: its keys and those of the top level; own: only its own keys; split: "train", "val" or "test" by
    the name of the file, "" for transforms.json.
    """

    record: Record
    own: dict[str, Any]
    split: str


class SceneText(NamedTuple):
    """The text of a scene. top: the top levels of all `files` as one; frames: in the order of the files."""

    top: Record
    frames: list[FrameRecord]
    files: tuple[str, ...]

    @property
    def file_list(self) -> str:
        """Names of the files, for messages."""
        return " and ".join(self.files)


def read_text(folder: Path) -> SceneText:
    """Reads the text of the scene in `folder`. Raises DataError if there is none or it has no frames."""
    files = _files(folder)
    tops, frames = [], []
    for name, split in files.items():
        values = read_json_object(folder / name)
        top = Record(str(folder / name), {key: value for key, value in values.items() if key != "frames"})
        tops.append(top)
        frames += frame_records(Record(top.place, values), split)
    return SceneText(_one_top(tops), frames, tuple(files))


def _files(folder: Path) -> dict[str, str]:
    """Name of each text file of the scene -> the split that it stands for."""
    if (folder / FILE_NAME).is_file():
        return {FILE_NAME: ""}
    found = {name: split for split, name in SPLIT_FILES.items() if (folder / name).is_file()}
    if not found:
        raise DataError(
            f"{folder}: expected a folder with a {FILE_NAME}, found "
            f"{'none in it' if folder.is_dir() else 'no such folder'}; correct the path, or write the file "
            "with scripts/find_poses.py or ns-process-data "
            f"(rendered scenes: {', '.join(SPLIT_FILES.values())})."
        )
    return found


def frame_records(top: Record, split: str = "") -> list[FrameRecord]:
    """The frames of a file; raises DataError if there are none."""
    frames = top.values.get("frames")
    if not isinstance(frames, list) or not frames:
        raise top.fault("frames", "a list of at least one frame")
    shared = {key: value for key, value in top.values.items() if key != "frames"}
    records = []
    for number, frame in enumerate(frames):
        if not isinstance(frame, dict):
            key = f"frames[{number}]"
            raise Record(top.place, {key: frame}).fault(key, "an object")
        own = {key: value for key, value in frame.items() if value is not None}
        replaced = {key for group in ALTERNATIVES if group & own.keys() for key in group}
        passed_down = {key: value for key, value in shared.items() if key not in replaced}
        # Frames of a camera path have no files.
        file = f" ({printable(frame['file_path'])})" if "file_path" in frame else ""
        place = f"{top.place}, frame {number}{file}"
        records.append(FrameRecord(Record(place, passed_down | own), own, split))
    return records


def _one_top(tops: Sequence[Record]) -> Record:
    """Merges top levels; of two values of a key the first file's counts, but frames keep their own file's."""
    values: dict[str, Any] = {}
    for top in reversed(tops):
        values |= {key: value for key, value in top.values.items() if value is not None}
    return Record(tops[0].place, values)
