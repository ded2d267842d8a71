"""Unpacks the Replica scenes rendered for Semantic-NeRF into the folders that --dataset replica reads.

    python scripts/prepare_replica.py DOWNLOAD data/replica

DOWNLOAD is the folder of the zips as they were downloaded: the scenes, the instance labels of Sequence_1, the
class names. Files that are already unpacked are used too, by hard links where possible. The result:

    data/replica/office_0/Sequence_1/{rgb,depth,semantic_class,semantic_instance}/  and traj_w_c.txt
    data/replica/info_semantic.json

Files outside a Sequence folder, as in DM-NeRF's copy, belong to Sequence_1. Colour previews are left out. The
same command resumes an interrupted one.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gpnerf.config.parser import Parser
from gpnerf.config.types import names, positive
from gpnerf.media.images import (
    decode_image,
    decode_values,
    image_size,
    resize_colors,
    resize_values,
    write_image,
)
from gpnerf.preparation.replica_download import KINDS, TRAJECTORY, Source, choose_files
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.system.files import write_whole
from gpnerf.system.scripting import make_folder, run_script

log = logging.getLogger("prepare_replica")

HEIGHT, WIDTH = 480, 640
# (height, width) of the written images; None leaves every file as it is.
Size = tuple[int, int] | None


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("download", type=Path, metavar="DOWNLOAD", help="folder of the zips, or one zip")
    add("out", type=Path, metavar="OUT", help="folder of the data set, e.g. data/replica")
    add("--scenes", type=names, default=(), help="a,b,c or a .txt file with a scene per line (default: all)")
    add("--every", type=positive, default=1, help="keep the frames 0, n, 2n, ... (default: 1)")
    add("--height", type=positive, help="resize colours by area, maps by nearest pixel (default: 480)")
    add("--width", type=positive, help="4/3 of --height, as cameras follow from the size (default: 640)")
    return parser.parse_args(arguments)


def target_size(height: int | None, width: int | None) -> Size:
    """Returns (height, width), or None to resize nothing. Raises ConfigError unless the ratio is 3 to 4."""
    if height is width is None:
        return None
    if height is None or width is None or height * WIDTH != width * HEIGHT:
        raise ConfigError(
            f"--height, --width: expected both, in the ratio 3 to 4, found {height} and {width}; take for "
            f"example {HEIGHT // 2} and {WIDTH // 2}."
        )
    return height, width


def drop_finished(files: Mapping[Path, Source], out: Path, size: Size) -> dict[Path, Source]:
    """Returns the files that are not in `out` yet. Raises ConfigError if one is there in another version."""
    pending = {}
    for target, source in files.items():
        path = out / target
        if not path.exists():
            pending[target] = source
        elif not _is_finished(path, source, size):
            raise ConfigError(
                f"{path}: expected the file that this command would write, found another version; repeat the "
                "--height, --width and DOWNLOAD it was made with, or remove it and all files made with it."
            )
    return pending


def _is_finished(path: Path, source: Source, size: Size) -> bool:
    if size and path.suffix == ".png":
        return image_size(path) == size
    return path.stat().st_size == source.size


def check_space(files: Mapping[Path, Source], out: Path, size: Size) -> None:
    """Logs how much is to be written. Raises ConfigError if the disk has less room."""
    device = out.stat().st_dev
    copied = [s for s in files.values() if size or s.member or s.path.stat().st_dev != device]
    share = min(1.0, size[0] * size[1] / (HEIGHT * WIDTH)) if size else 1.0
    needed, free = share * sum(source.size for source in copied), shutil.disk_usage(out).free
    log.info(f"{len(files)} files to write, about {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free.")
    if needed > free:
        raise ConfigError(
            f"{out}: expected about {needed / 1e9:.1f} GB of free disk, found {free / 1e9:.1f} GB; choose "
            "another folder, or take less with --scenes, --every, or --height and --width."
        )


def write_file(source: Source, target: Path, size: Size) -> None:
    """Links or writes one file, whole or not at all. Raises DataError for a fault of the source."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not (size or source.member):
        with suppress(OSError):
            os.link(source.path.resolve(), target)
            return
    data = source.read()
    if size and target.suffix == ".png":
        try:
            write_image(target, _resized(data, source, target.parent.name, size))
        except DataError as error:
            raise DataError(f"{source} cannot be decoded as an image") from error
    else:
        write_whole(target, data)


def _resized(data: bytes, source: Source, folder: str, size: tuple[int, int]) -> np.ndarray:
    """Resized pixels of an image file; `folder` of its sequence decides between colours and values."""
    if folder == KINDS[0]:
        return resize_colors(decode_image(data, str(source)), *size)
    return resize_values(decode_values(data, str(source), "semantic"), *size)


def write_files(files: Mapping[Path, Source], out: Path, size: Size, faults: list[str]) -> None:
    """Writes all files that can be used and adds the faults of the others to `faults`."""
    for target, source in tqdm(files.items(), desc="preparing", unit="file"):
        try:
            write_file(source, out / target, size)
        except DataError as error:
            faults.append(str(error))


def summary(scene: Path) -> str:
    """One line about the sequences of a scene: frames, maps, and whether poses are missing."""
    parts = []
    for sequence in sorted(scene.glob("Sequence_*")):
        frames, *counts = (len(list(sequence.glob(f"{kind}/{kind}_*.png"))) for kind in KINDS)
        found = [(kind, count) for kind, count in zip(KINDS[1:], counts, strict=True) if count]
        maps = [kind if count == frames else f"{kind} ({count})" for kind, count in found]
        poses = "" if (sequence / TRAJECTORY).is_file() else f", without {TRAJECTORY}"
        parts.append(f"{sequence.name} {frames} frames with {', '.join(maps) or 'no maps'}{poses}")
    return f"{scene.name}: {'; '.join(parts)}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    size = target_size(options.height, options.width)
    scenes = {name.split("/")[0] for name in options.scenes}
    if not options.download.exists():
        raise DataError(f"{options.download}: expected the folder of the zips, found none; correct the path.")
    out, faults = make_folder(options.out), []
    try:
        with ExitStack() as opened:
            files = choose_files(options.download, out, scenes, options.every, opened, faults)
            pending = drop_finished(files, out, size)
            check_space(pending, out, size)
            write_files(pending, out, size, faults)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or out} cannot be read or written ({error.strerror}); mend that and run again."
        ) from error
    for scene in sorted({target.parts[0] for target in files if len(target.parts) > 2}):
        sys.stdout.write(summary(out / scene))
    for fault in faults:
        log.warning(f"{fault}.")
    if faults:
        raise DataError(
            f"{len(faults)} parts of {options.download} cannot be used, such as {faults[0]}; download the "
            "files listed above once more and run again; all others are in place."
        )
    sys.stdout.write(f"Next: python scripts/check_data.py {out}\n")
    return 0


if __name__ == "__main__":
    run_script(main)
