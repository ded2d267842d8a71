"""Unit of the depth maps and file of sparse points of a scene in transforms.json."""

from __future__ import annotations

import os
from pathlib import Path

from gpnerf.datasets.places import from_folder, leads_outside, spellings
from gpnerf.datasets.transforms.text import SceneText
from gpnerf.system.errors import DataError

# Keys of nerfstudio and of instant-ngp for metres per stored unit.
DEPTH_UNIT_KEYS = ("depth_unit_scale_factor", "integer_depth_scale")
# Metres per stored unit that no 16-bit map has: such a number is probably meant as stored units per metre.
COARSE_UNIT = 1.0


def depth_unit(text: SceneText, warnings: list[str]) -> float | None:
    """Metres per stored unit of depth, None if the file states none; oddities are added to `warnings`."""
    top = text.top
    stated = {key: top.positive(key) for key in DEPTH_UNIT_KEYS if top.values.get(key) is not None}
    named = [frame.own for frame in text.frames if frame.own.get("depth_path") is not None]
    if len(set(stated.values())) > 1:
        raise top.fault(DEPTH_UNIT_KEYS[1], f"the same as '{DEPTH_UNIT_KEYS[0]}'", "keep one of the two")
    if named and top.values.get("enable_depth_loading") is False:
        warnings.append(f"{top.place}: 'depth_path' is not used, as 'enable_depth_loading' is false.")
    elif any(own.get("depth_file_path") not in (None, own["depth_path"]) for own in named):
        warnings.append(f"{top.place}: 'depth_path' is not used, as its frames have a 'depth_file_path'.")
    elif named and not stated:
        warnings.append(
            f"{top.place}: 'depth_path' is read in millimetres, as no 'integer_depth_scale' (metres per "
            "stored unit) is given."
        )
    unit = next(iter(stated.values()), None)
    if unit is not None and unit >= COARSE_UNIT:
        warnings.append(
            f"{top.place}: depth is read with {unit:g} m per stored unit; if it is {unit:g} units per metre, "
            f"write '{next(iter(stated))}': {1.0 / unit:g}."
        )
    return unit


def sparse_points(folder: Path, text: SceneText, warnings: list[str]) -> tuple[str, str]:
    """(file of sparse points, ""), even if the file does not exist; ("", reason) if none can be named.

    A path outside the folder, or of something that is no file, is added to `warnings`.
    """
    try:
        file = _points_file(folder, text)
    except DataError as error:
        warnings.append(str(error))
        return "", str(error).removesuffix(".")
    return file, "" if file else f"no 'ply_file_path' in its {text.file_list}"


def _points_file(folder: Path, text: SceneText) -> str:
    """The file of sparse points, even if it does not exist; "" if none is named.

    Raises DataError for a path outside the folder or of something that is no file.
    """
    key, remedy = "ply_file_path", "move the file there and write its relative path"
    path = text.top.text(key)
    if path is None:
        return ""
    path = from_folder(folder, path)
    if leads_outside(path):
        raise text.top.fault(key, f"a path inside {folder}", remedy)
    found = next((one for one in spellings(path) if os.path.isfile(folder / one)), path)
    try:
        os.stat(folder / found)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise text.top.fault(key, "the path of a file", remedy) from error
    return Path(found).as_posix()
