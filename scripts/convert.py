"""Converts a recording in a format that people have into a scene with transforms.json.

    python scripts/convert.py tum rgbd_dataset_freiburg1_desk data/desk --every 10
    python scripts/convert.py record3d recording.r3d data/kitchen

    record3d          a .r3d file of Record3D, or the folder of an export (without depth)
    polycam           the raw data of Polycam: a folder with keyframes
    nice_slam         a scene of Replica as NICE-SLAM has it, with cam_params.json in the folder above
    tum               a sequence of the TUM RGB-D benchmark, in a folder of its original name
    scannetpp_iphone  a scene of ScanNet++, frames of the iPhone as the toolbox extracts them
    scannetpp_dslr    a scene of ScanNet++, undistorted photographs of the DSLR, with its split
    llff              a folder of LLFF, IBRNet or GNT: images and poses_bounds.npy; keeps near and far

Scenes of Blender (transforms_train.json, _val, _test) are read without conversion. SCENE gets the photographs
as hard links where possible, depth with its unit, and poses in metres, or in the units of the recording.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gpnerf.config.parser import Parser
from gpnerf.config.types import positive, yes_or_no
from gpnerf.datasets.transforms.text import FILE_NAME
from gpnerf.preparation.recordings import llff, nice_slam, polycam, record3d, scannetpp, tum
from gpnerf.preparation.recordings.recording import Recording, write_scene
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.system.scripting import make_folder, run_script

FORMATS: dict[str, Callable[[Path], Recording]] = {
    "record3d": record3d.read,
    "polycam": polycam.read,
    "nice_slam": nice_slam.read,
    "tum": tum.read,
    "scannetpp_iphone": scannetpp.read_iphone,
    "scannetpp_dslr": scannetpp.read_dslr,
    "llff": llff.read,
}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("format", choices=FORMATS, metavar="FORMAT", help="see above")
    add("source", type=Path, metavar="SOURCE", help="folder or file of the recording")
    add("scene", type=Path, metavar="SCENE", help=f"folder to write {FILE_NAME} and the files to")
    add("--every", type=positive, default=1, help="keep the frames 0, n, 2n, ... (default: 1)")
    add("--depth", type=yes_or_no, default=True, help="yes or no: depth maps (default: yes)")
    add("--overwrite", action="store_true", help=f"replace an existing {FILE_NAME}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    path = options.scene / FILE_NAME
    if path.exists() and not options.overwrite:
        raise ConfigError(f"{path} exists; keep it, or replace it and all that was added with --overwrite.")
    if not options.source.exists():
        raise DataError(f"{options.source}: expected a recording, found no such file or folder; correct it.")
    recording = FORMATS[options.format](options.source)
    shots = recording.shots[:: options.every]
    if not options.depth:
        shots = [replace(shot, depth=None) for shot in shots]
    try:
        write_scene(replace(recording, shots=shots), make_folder(options.scene))
    except OSError as error:
        raise ConfigError(
            f"{error.filename or options.scene} cannot be read or written ({error.strerror}); mend that and "
            "run again."
        ) from error
    depths = sum(shot.depth is not None for shot in shots)
    sys.stdout.write(
        f"{path}: {len(shots)} of {len(recording.shots)} frames, {depths} with depth\n"
        f"Next: python scripts/check_data.py {options.scene}\n"
    )
    return 0


if __name__ == "__main__":
    run_script(main)
