"""Unit of the depth maps and depth range of a scene of transforms.json."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from gpnerf.datasets.depth_range import DepthRange, from_maps, from_points
from gpnerf.datasets.files.ply import read_points
from gpnerf.datasets.places import from_folder, leads_outside, spellings
from gpnerf.datasets.transforms.text import SceneText
from gpnerf.system.errors import DataError, Faults

# Metres per stored unit, by nerfstudio and by instant-ngp.
DEPTH_UNIT_KEYS = ("depth_unit_scale_factor", "integer_depth_scale")
# From here on a number tells stored units per metre, as no 16-bit map holds anything else so coarsely.
COARSE_UNIT = 1.0


def depth_unit(text: SceneText, warnings: list[str]) -> float | None:
    """Metres per stored unit of depth, None where the file states none; what is odd goes to `warnings`."""
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


def depth_range(
    folder: Path, text: SceneText, depths: list[str], unit: float | None, cameras: dict[str, np.ndarray]
) -> DepthRange:
    """Of the file, of these depth maps, or of the sparse points seen by these cameras, the first there is."""
    near, far = text.top.positive("near"), text.top.positive("far")
    if near is not None and far is not None:
        return DepthRange(near, far, f"its {text.said_by}")
    found = from_maps(folder, depths, unit)
    if found.near is None:
        found = _range_of_points(folder, text, found.source, cameras)
    if near is None and far is None:
        return found
    source = f"its {text.said_by} and {found.source}"
    return DepthRange(found.near if near is None else near, found.far if far is None else far, source)


def _range_of_points(
    folder: Path, text: SceneText, before: str, cameras: dict[str, np.ndarray]
) -> DepthRange:
    """before: why nothing else shows the range. A file of points that is of no use is a reason, no fault: the
    options may give the range."""
    try:
        names = points_file(folder, text)
        if not names:
            return DepthRange(None, None, f"{before} and no 'ply_file_path' in its {text.said_by}")
        return from_points(names[0], read_points(folder / names[0]), **cameras)
    except DataError as error:
        return DepthRange(None, None, f"{before}, and {str(error).removesuffix('.')}")


def points_file(folder: Path, text: SceneText) -> tuple[str, ...]:
    """The file of sparse points, in a tuple, be it there or not; () where none is named.

    Raises DataError for what names no file inside the folder.
    """
    key, remedy = "ply_file_path", "move the file there and write its relative path"
    path = text.top.text(key)
    if path is None:
        return ()
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
    return (Path(found).as_posix(),)


def points_to_watch(folder: Path, text: SceneText, warnings: list[str]) -> tuple[str, ...]:
    """As points_file; what names no file inside the folder goes to `warnings`."""
    points, unused = (), Faults()
    with unused.collected():
        points = points_file(folder, text)
    warnings += unused.sentences
    return points
