"""Finds the poses of photographs that have none, with COLMAP, and writes a scene in transforms.json.

    python scripts/find_poses.py PHOTOS data/myscene
    python scripts/find_poses.py VIDEO data/myscene --every 15

PHOTOS is a folder of photographs; of a VIDEO, the sharpest of every few frames are used. SCENE gets upright
copies of them, transforms.json with poses, intrinsics, near and far, sparse points and COLMAP's model. The
script says which photographs have no pose and why, goes on with the others, and ends with the report of
check_data.py. The same command resumes, and SCENE appears when it is complete.

COLMAP's models have an arbitrary scale: poses, near, far and rendered depth are in its units instead of
metres. The script needs pycolmap: pip install -e ".[poses]".
"""

from __future__ import annotations

import argparse
import logging
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpnerf.config.parser import Parser
from gpnerf.config.types import REPOSITORY, positive
from gpnerf.preparation.colmap.photographs import check_photographs
from gpnerf.preparation.colmap.reader import read_model
from gpnerf.preparation.colmap.transforms import transforms
from gpnerf.preparation.poses import target
from gpnerf.preparation.poses.gather import copy_photographs, save_frames, source_files
from gpnerf.preparation.poses.outcome import check_found, read_evidence, sentences
from gpnerf.preparation.poses.search import Search, load_pycolmap
from gpnerf.system.errors import ConfigError
from gpnerf.system.scripting import run_script

log = logging.getLogger("find_poses")

EVERY = 10
# Pairs grow with the square of the photographs: 200 have 19,900.
MOST_EXHAUSTIVE = 200


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("source", type=Path, metavar="PHOTOS_OR_VIDEO", help="folder of photographs, or a video")
    add("scene", type=Path, metavar="SCENE", help="folder to write, e.g. data/myscene")
    add("--every", type=positive, help=f"video: use the sharpest of this many frames (default: {EVERY})")
    add(
        "--cameras",
        choices=("one", "each"),
        default="one",
        help="one camera for all photographs of the same size and focal length, or one for each photograph "
        "(default: one)",
    )
    add(
        "--matching",
        choices=("auto", "exhaustive", "sequential"),
        default="auto",
        help="match all pairs, or each photograph with those that follow it in the order of their names "
        f"(default: auto, sequential for a video and for more than {MOST_EXHAUSTIVE} photographs)",
    )
    add("--overwrite", action="store_true", help="replace SCENE, if this script wrote it")
    options = parser.parse_args(arguments)
    if options.every and options.source.is_dir():
        raise ConfigError(
            f"--every: expected a video, found the folder {options.source}; leave the option out, or move "
            "photographs that are not wanted elsewhere."
        )
    options.every = options.every or EVERY
    return options


def search_poses(search: Search, names: Sequence[str], options: argparse.Namespace) -> list[Any]:
    """Runs COLMAP over the photographs of a work folder; returns its models, the largest first."""
    groups = [[name] for name in names] if options.cameras == "each" else search.camera_groups(names)
    if 1 < len(groups) < len(names):
        log.info(f"The photographs have {len(groups)} different sizes or focal lengths: each gets a camera.")
    log.info(f"Finding features in {len(names)} photographs")
    search.find_features(groups)
    is_long = options.source.is_file() or len(names) > MOST_EXHAUSTIVE
    sequential = options.matching == "sequential" or (options.matching == "auto" and is_long)
    pairs = "each with the next ones" if sequential else f"{math.comb(len(names), 2)} pairs"
    log.info(f"Matching {len(names)} photographs, {pairs}")
    search.match(sequential)
    return search.find_models(len(names))


def converted(found: Any, work: Path) -> dict[str, Any]:
    """Writes the model and its points into the work folder; returns the contents of transforms.json."""
    folder, images = work / target.MODEL, work / target.IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    found.write(folder)
    found.export_PLY(work / target.POINTS)
    model = read_model(folder)
    sizes = check_photographs(model, images)
    values = transforms(model, target.IMAGES, sizes, [""] * len(sizes))
    return {**values, "ply_file_path": target.POINTS}


def make_scene(options: argparse.Namespace, names: Sequence[str], search: Search) -> dict[str, Any]:
    """Finds the poses of the photographs of a work folder; returns the contents of transforms.json."""
    models = search_poses(search, names, options)
    evidence = read_evidence(search)
    placed = [{image.name for image in model.images.values()} for model in models]
    check_found(options.source, evidence, placed)
    for sentence in sentences(names, evidence, placed, search.fewest_matches):
        log.warning(sentence)
    log.info(
        f"{len(placed[0])} of {len(names)} photographs have poses; {models[0].num_points3D()} points, "
        f"{models[0].compute_mean_reprojection_error():.2f} pixels from their features on average."
    )
    return converted(models[0], search.work)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    files = source_files(options.source)
    target.check_apart(options.source, options.scene)
    names = ("cameras", "matching", "every")
    chosen = " ".join(f"--{name} {getattr(options, name)}" for name in names)
    record = target.record_of(files, chosen)
    if target.is_finished(options.scene, record, options.overwrite):
        log.info(f"{options.scene} has the poses of these photographs already; --overwrite finds them anew.")
        return 0
    pycolmap = load_pycolmap()
    with target.work_folder(options.scene, record) as work:
        search = Search(pycolmap, work)
        if options.source.is_file():
            names = save_frames(options.source, options.every, search.images)
        else:
            names = copy_photographs(files, search.images)
        values = make_scene(options, names, search)
        target.finish(work, options.scene, {**record, **values})
    return subprocess.call(
        [sys.executable, str(REPOSITORY / "scripts" / "check_data.py"), str(options.scene)]
    )


if __name__ == "__main__":
    run_script(main)
