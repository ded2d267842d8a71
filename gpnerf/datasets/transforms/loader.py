"""transforms.json of nerfstudio / instant-ngp -> SceneIndex.

Beyond their keys a frame may name `semantic_path` and `instance_path`, and the top level `semantic_classes`
(names in the order of their ids), `ignore_label` (255), `near` and `far` in the units of the poses. All keys
that are known: keys.py.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np

from gpnerf.datasets.depth_range import DepthRange, maps_to_measure
from gpnerf.datasets.files.records import Record, printable
from gpnerf.datasets.index.scene_index import (
    KINDS,
    SceneIndex,
    check_lossless,
    check_shared,
    check_sizes,
    folders_of,
    probe,
)
from gpnerf.datasets.labels import LARGEST_ID
from gpnerf.datasets.places import from_folder, in_other_case, leaves, spellings
from gpnerf.datasets.splits import stated_frames, stated_splits
from gpnerf.datasets.transforms import camera, depth
from gpnerf.datasets.transforms.keys import check_keys, is_refused
from gpnerf.datasets.transforms.text import FILE_NAMES, SceneText, read_text
from gpnerf.system.errors import Faults

DEFAULT_IGNORE_LABEL = 255
# Kind of file -> keys of a frame, of which the first that it has counts.
PATH_KEYS = {
    "image": ("file_path",),
    "depth": ("depth_file_path", "depth_path"),
    "semantic": ("semantic_path",),
    "instance": ("instance_path",),
    "mask": ("mask_path",),
}
# instant-ngp leaves the extension out, and cameras write it large.
IMAGE_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG")
LISTED_FILES = 10
# Of a mask beside its photograph, not 0 = leave out.
NGP_MASK = "dynamic_mask_"
# Where others look for masks, beside the folder of the photographs.
MASK_FOLDER = "masks"


def index_scene(folder: Path, faults: Faults) -> SceneIndex:
    """The scene in `folder`, frames in the order of the numbers in their file names.

    near and far are the file's, or else what some depth maps show, or else the sparse points; None where
    there is none of them. Faults of single frames go to `faults`, and the frame is left out; raises
    DataError where there is no scene at all. Of the pixels, only those depth maps are looked at.
    """
    text = read_text(folder)
    warnings = [*check_keys(text, faults), *_beside(folder, text)]
    class_names = _class_names(text)
    rows = _rows(folder, text, faults)
    files = {kind: tuple(row[kind] for row in rows) for kind in KINDS}
    check_shared(files, text.top.place, faults)
    check_lossless(folder, files, text.top.place, faults)
    columns = {name: np.stack([row[name] for row in rows]) for name in ("intrinsics", "poses", "sizes")}
    check_sizes(folder, files, columns["sizes"], text.said_by, faults)
    splits = tuple(row["split"] for row in rows)
    # Views that the scene itself states to be scored say nothing of the range; which ones the options
    # choose where it states none is not known here.
    scored, _ = stated_frames(splits) or ((), ())
    shown = sorted({*range(len(rows))} - {*scored})
    measured = maps_to_measure([files["depth"][number] for number in shown if files["depth"][number]])
    unit = depth.depth_unit(text, warnings)
    points, unused = (), Faults()
    with unused.collected():
        points = depth.points_file(folder, text)
    warnings += unused.sentences
    found = DepthRange(None, None, "")
    with faults.collected():
        found = depth.depth_range(folder, text, measured, unit, {key: columns[key][shown] for key in columns})
    return SceneIndex(
        names=_names(files["image"]),
        files=files,
        distortion=np.stack([row["distortion"] for row in rows]),
        near=found.near,
        far=found.far,
        range_source=found.source,
        splits=splits,
        watched=(
            *FILE_NAMES,
            *points,
            *folders_of(files),
            *probe(files),
            *measured,
        ),
        depth_unit=unit,
        class_names=class_names,
        ignore_label=_ignore_label(text, class_names, warnings),
        warnings=tuple(warnings),
        **columns,
    )


def _rows(folder: Path, text: SceneText, faults: Faults) -> list[dict]:
    """Every frame's entry in all columns of the index, in the order of the index; at least one."""
    rows = []
    missing: list[str] = []
    for frame, split in zip(text.frames, stated_splits(text, faults), strict=True):
        if is_refused(frame):
            continue
        with faults.collected():
            row = _frame(folder, frame.record, missing)
            rows += [row | {"split": split}] if row else []
    if missing:
        faults.add(_missing(folder, missing, text.top.place))
    if not rows:
        faults.raise_any()
    return sorted(rows, key=lambda row: _natural(row["image"]))


def _missing(folder: Path, paths: list[str], place: str) -> str:
    """A sentence that names files which are not there, and those of them that are in other letters."""
    listed, remedy = [], "copy them there or remove their frames"
    for path in paths[:LISTED_FILES]:
        other = in_other_case(folder, from_folder(folder, path))
        listed.append(printable(path) + (f" (there is {printable(other)})" if other else ""))
        if other:
            remedy = "write names as those of the files, capitals too, or copy them there"
    rest = f" and {len(paths) - LISTED_FILES} more" if len(paths) > LISTED_FILES else ""
    return (
        f"{place}: {len(paths)} of the files it names are missing from {folder}: {', '.join(listed)}{rest}; "
        f"{remedy}."
    )


def _frame(folder: Path, frame: Record, missing: list[str]) -> dict | None:
    """One frame's entry in every column of the index but its split, None for a frame without its image;
    files that are not there go to `missing`."""
    if not frame.text("file_path"):
        raise frame.fault("file_path", "the path of an image")
    keys = {kind: _path_key(frame, kind) for kind in PATH_KEYS}
    paths = {kind: _find_file(folder, frame, key) if key else "" for kind, key in keys.items()}
    missing += [frame.values[keys[kind]] for kind, path in paths.items() if path is None]
    if not paths["image"]:
        return None
    size = camera.size(frame, folder / paths["image"])
    return {
        **{kind: path or "" for kind, path in paths.items()},
        "sizes": np.array(size),
        "intrinsics": camera.intrinsics(frame, *size),
        "poses": camera.pose(frame),
        "distortion": camera.distortion(frame),
    }


def _path_key(frame: Record, kind: str) -> str | None:
    """The key by which a frame names its file of this kind, None if it names none."""
    off = ("depth_path",) if frame.values.get("enable_depth_loading") is False else ()
    keys = (key for key in PATH_KEYS[kind] if key not in off)
    return next((key for key in keys if frame.values.get(key) is not None), None)


def _find_file(folder: Path, frame: Record, key: str) -> str | None:
    """The path that a frame names, relative to the folder: "" if it names none, None if it is not there."""
    relative = frame.text(key)
    if relative is None:
        return ""
    relative = from_folder(folder, relative)
    if leaves(relative):
        raise frame.fault(key, f"a path inside {folder}", "move the files there and write relative paths")
    candidates = (path + suffix for path in spellings(relative) for suffix in IMAGE_SUFFIXES)
    found = next((path for path in candidates if os.path.isfile(folder / path)), None)
    return None if found is None else Path(found).as_posix()


def _beside(folder: Path, text: SceneText) -> list[str]:
    """A sentence for files beside those that are read which may mean something else."""
    sentences = []
    unread = [name for name in FILE_NAMES if name not in text.files and (folder / name).is_file()]
    if unread:
        sentences.append(f"{folder}: {text.said_by} is read, and not {' and '.join(unread)} beside it.")
    images = {Path(str(frame.own.get("file_path"))).parent for frame in text.frames}
    if any(frame.record.values.get("mask_path") for frame in text.frames):
        return sentences
    remedy = "are not used; name masks (0 = leave out) as 'mask_path'"
    masks = sum(len(list((folder / place).glob(f"{NGP_MASK}*.png"))) for place in images)
    if masks:
        sentences.append(f"{folder}: {masks} files {NGP_MASK}*.png of instant-ngp {remedy}.")
    keys = [key for keys in PATH_KEYS.values() for key in keys]
    named = {Path(str(frame.own[key])).parent for frame in text.frames for key in keys if key in frame.own}
    folders = {place.parent / MASK_FOLDER for place in images} - named
    sentences += [
        f"{folder}: the files in {one.as_posix()} beside the photographs {remedy}."
        for one in sorted(folders)
        if os.path.isdir(folder / one) and os.listdir(folder / one)
    ]
    return sentences


def _class_names(text: SceneText) -> tuple[str, ...]:
    names = text.top.values.get("semantic_classes")
    if names is None:
        labelled = [frame for frame in text.frames if frame.record.values.get("semantic_path")]
        if labelled:
            raise text.top.fault(
                "semantic_classes",
                f"the list of class names, as {len(labelled)} frames have a 'semantic_path'",
                "add the names in the order of their ids",
            )
        return ()
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise text.top.fault("semantic_classes", "a list of class names")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        expected = f"names that differ (not {count} times '{printable(name)}')"
        raise text.top.fault("semantic_classes", expected, "name each class once")
    return tuple(names)


def _ignore_label(text: SceneText, class_names: tuple[str, ...], warnings: list[str]) -> int:
    """The id that means "no label". Raises DataError where it is that of a class unless the file says so,
    which goes to `warnings`."""
    key = "ignore_label"
    label = text.top.integer(key, DEFAULT_IGNORE_LABEL, 0, LARGEST_ID)
    if label < len(class_names):
        meant = f"{label} is '{printable(class_names[label])}' in 'semantic_classes'"
        if text.top.values.get(key) is None:
            expected = f"stated with {len(class_names)} classes ({meant}, and unlabelled by default)"
            raise text.top.fault(key, expected, f"state it, {LARGEST_ID} if every pixel has a label")
        warnings.append(f"{text.top.place}: {meant} and unlabelled by '{key}', so that class is never seen.")
    return label


def _names(images: tuple[str, ...]) -> tuple[str, ...]:
    """Frames are named by the stem of their image, or by its path where stems clash."""
    paths = [Path(image).with_suffix("").as_posix() for image in images]
    stems = [Path(image).stem for image in images]
    return tuple(paths if len(set(stems)) < len(stems) else stems)


def _natural(path: str) -> list:
    """Sort key by the stem, then the path, under which frame_2 comes before frame_10."""
    return [_numbered(Path(path).stem), _numbered(Path(path).with_suffix("").as_posix())]


def _numbered(text: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]
