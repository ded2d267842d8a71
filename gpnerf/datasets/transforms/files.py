"""Files that transforms.json names, whether they exist, and unused files beside them."""

from __future__ import annotations

import os
from pathlib import Path

from gpnerf.datasets.files.records import Record, printable
from gpnerf.datasets.places import from_folder, in_other_case, leaves, spellings
from gpnerf.datasets.transforms.text import FILE_NAMES, SceneText
from gpnerf.media.formats import PHOTOGRAPH_SUFFIXES
from gpnerf.system.wording import LISTED, some

# Kind of file -> keys of a frame; the first key that the frame has counts.
PATH_KEYS = {
    "image": ("file_path",),
    "depth": ("depth_file_path", "depth_path"),
    "semantic": ("semantic_path",),
    "instance": ("instance_path",),
    "mask": ("mask_path",),
}
# instant-ngp leaves the extension out, and cameras write it in capitals.
IMAGE_SUFFIXES = ("", *PHOTOGRAPH_SUFFIXES, *map(str.upper, PHOTOGRAPH_SUFFIXES))
# Prefix of instant-ngp's masks, which lie beside their photographs and leave out pixels that are not 0.
NGP_MASK = "dynamic_mask_"
# Folder in which other programs look for masks; it lies beside the folder of the photographs.
MASK_FOLDER = "masks"


def named_files(folder: Path, frame: Record, missing: list[str]) -> dict[str, str]:
    """Kind -> the file that a frame names, relative to the folder, "" for none.

    Files that do not exist are added to `missing`.
    """
    keys = {kind: _path_key(frame, kind) for kind in PATH_KEYS}
    paths = {kind: _find_file(folder, frame, key) if key else "" for kind, key in keys.items()}
    missing += [frame.values[keys[kind]] for kind, path in paths.items() if path is None]
    return {kind: path or "" for kind, path in paths.items()}


def _path_key(frame: Record, kind: str) -> str | None:
    """The key with which a frame names its file of this kind, None if it names none."""
    off = ("depth_path",) if frame.values.get("enable_depth_loading") is False else ()
    keys = (key for key in PATH_KEYS[kind] if key not in off)
    return next((key for key in keys if frame.values.get(key) is not None), None)


def _find_file(folder: Path, frame: Record, key: str) -> str | None:
    """The path that a frame names, relative to the folder; "" if it names none, None if there is no file."""
    relative = frame.text(key)
    if relative is None:
        return ""
    relative = from_folder(folder, relative)
    if leaves(relative):
        raise frame.fault(key, f"a path inside {folder}", "move the files there and write relative paths")
    candidates = (path + suffix for path in spellings(relative) for suffix in IMAGE_SUFFIXES)
    found = next((path for path in candidates if os.path.isfile(folder / path)), None)
    return None if found is None else Path(found).as_posix()


def missing_files(folder: Path, paths: list[str], place: str) -> str:
    """Writes a sentence about missing files; it names files whose names differ only in case."""
    others = {path: in_other_case(folder, from_folder(folder, path)) for path in paths[:LISTED]}
    listed = [
        printable(path) + (f" (there is {printable(others[path])})" if others.get(path) else "")
        for path in paths
    ]
    remedy = "copy them there or remove their frames"
    if any(others.values()):
        remedy = "write the names exactly as those of the files, capitals included, or copy the files there"
    return f"{place}: {len(paths)} of the files it names are missing from {folder}: {some(listed)}; {remedy}."


def unused_warnings(folder: Path, text: SceneText) -> list[str]:
    """Writes a sentence for files that are not used, but lie where other programs would use them."""
    sentences = []
    unread = [name for name in FILE_NAMES if name not in text.files and (folder / name).is_file()]
    if unread:
        sentences.append(f"{folder}: {text.file_list} is read, and not {' and '.join(unread)} beside it.")
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
