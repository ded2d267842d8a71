"""Writes the transforms.json of a scene of your own from a COLMAP sparse model.

    python scripts/colmap_to_transforms.py sparse/0 data/myscene

MODEL holds cameras.bin and images.bin, or both as .txt. SCENE/images holds the photographs that COLMAP ran
on, or smaller copies of all of them (--images images_4); intrinsics follow their size. Cameras may be
SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV or FULL_OPENCV. With points3D.bin (or .txt), near and
far are measured on the points that each photograph sees. COLMAP's masks are added to the frames if they are
in SCENE/masks: a.jpg.png is the mask of a.jpg, and its pixels of value 0 are left out.

A COLMAP model has an arbitrary scale: poses, near, far and rendered depth are in its units instead of metres.
Depth maps that you add must be in the same units ("depth_unit_scale_factor" is units per stored value).
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpnerf.config.parser import Parser
from gpnerf.datasets.places import leads_outside
from gpnerf.datasets.transforms.text import FILE_NAME
from gpnerf.preparation.colmap.photographs import (
    check_photographs,
    find_masks,
    say_what_is_left,
    with_found_names,
)
from gpnerf.preparation.colmap.reader import read_model
from gpnerf.preparation.colmap.transforms import transforms
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.system.files import write_whole
from gpnerf.system.scripting import run_script

log = logging.getLogger("colmap_to_transforms")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder of one sparse model, e.g. sparse/0")
    parser.add_argument("scene", type=Path, metavar="SCENE", help=f"folder to write {FILE_NAME} to")
    parser.add_argument("--images", default="images", help="photographs, a folder in SCENE (default: images)")
    parser.add_argument("--overwrite", action="store_true", help=f"replace an existing {FILE_NAME}")
    return parser.parse_args(arguments)


def write(path: Path, values: dict[str, Any]) -> None:
    """Writes a JSON file. Raises ConfigError if it cannot be written."""
    try:
        write_whole(path, json.dumps(values, indent=1) + "\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); choose another SCENE.") from error


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    path = options.scene / FILE_NAME
    if path.exists() and not options.overwrite:
        raise ConfigError(
            f"{path} exists; keep it, or replace it and everything that was added to it with --overwrite."
        )
    if leads_outside(options.images):
        raise ConfigError(
            f"--images: expected a folder in SCENE such as images, found {options.images}; move that folder "
            "into SCENE."
        )
    model = read_model(options.model)
    if not model.images:
        raise DataError(f"{options.model}: expected registered images, found none; run COLMAP's mapper.")
    folder = options.scene / options.images
    model = with_found_names(model, folder)
    sizes = check_photographs(model, folder)
    say_what_is_left(model, folder, options.model, sizes)
    values = transforms(model, options.images, sizes, find_masks(model, options.scene))
    write(path, values)
    bounds = ""
    if "near" in values:
        bounds = f", near {values['near']:.4g}, far {values['far']:.4g} units of the model"
    else:
        log.warning("No image sees a point: the file gets no near and far; see --depth_range of train.py.")
    sys.stdout.write(f"{path}: {len(values['frames'])} frames{bounds}\n")
    return 0


if __name__ == "__main__":
    run_script(main)
