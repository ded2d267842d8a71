"""Makes furnished rooms from seeds, in the disk layout of a data set of your choice.

    python scripts/make_rooms.py OUT --layout replica --rooms 0-3 --views 24 --height 96 --width 128

Every layout holds the same views: cameras, photographs, depth, classes and instances. Existing rooms are
skipped.

    rooms             as train.py --dataset rooms makes them on first use
    transforms        OUT/room_0007/transforms.json with images, depth, semantic, instance
    replica           OUT/room_0007/Sequence_1 with rgb, depth, semantic_class, ...; 90 degrees wide
    scannet           OUT/room_0007 with color, depth, label-filt, pose, ...: a scan after unpacking
    scannet_download  OUT/scans/room_0007 with a .sens file and zip files: a scan as downloaded
"""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from pathlib import Path

from gpnerf.config.parser import Parser
from gpnerf.config.types import names, positive
from gpnerf.rooms import cache, shots
from gpnerf.rooms.exports.layouts import LAYOUTS, export
from gpnerf.rooms.exports.replica import SEQUENCE
from gpnerf.system.errors import ConfigError
from gpnerf.system.scripting import run_script

WIDEST = 170.0


def seed_list(text: str) -> tuple[int, ...]:
    """Seeds such as 0-3,7, each once."""
    found = names(text)
    if not found or not all(name.isdecimal() for name in found):
        raise ArgumentTypeError(f"expected seeds such as 0-3,7, found {text!r}")
    return tuple(dict.fromkeys(map(int, found)))


def angle(text: str) -> float:
    try:
        degrees = float(text)
    except ValueError:
        degrees = 0.0
    if not 1.0 <= degrees <= WIDEST:
        raise ArgumentTypeError(f"expected 1 to {WIDEST:g} degrees, found {text!r}")
    return degrees


def parse(arguments: Sequence[str] | None) -> Namespace:
    """Parses the options. Raises ConfigError for a wrong one, or a field of view that the layout excludes."""
    parser = Parser(description=__doc__, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False)
    add = parser.add_argument
    add("out", metavar="OUT", type=Path, help="folder to write to")
    add("--layout", choices=("rooms", *LAYOUTS), required=True, help="see above")
    add("--rooms", type=seed_list, default=(0, 1, 2, 3), help="seeds (default: 0-3)")
    add("--views", type=positive, default=24, help="photographs of each room (default: 24)")
    add("--height", type=positive, default=96, help="pixels (default: 96)")
    add("--width", type=positive, default=128, help="pixels (default: 128)")
    add("--field_of_view", type=angle, help="horizontal, degrees (default: 80, replica: 90)")
    options = parser.parse_args(arguments)
    fixed = shots.FIELD_OF_VIEW if options.layout == "rooms" else LAYOUTS[options.layout].field_of_view
    if options.field_of_view is None:
        options.field_of_view = fixed or shots.FIELD_OF_VIEW
    if fixed not in (None, options.field_of_view):
        raise ConfigError(
            f"--field_of_view: expected {fixed:g} degrees with the layout {options.layout}, found "
            f"{options.field_of_view:g}; leave the option out or choose the layout transforms."
        )
    return options


def make(options: Namespace) -> None:
    sizes = (options.height, options.width, options.views)
    try:
        if options.layout == "rooms":
            cache.prepare(options.out, options.rooms, *sizes)
        else:
            shoot = shots.Shoot(*sizes, options.field_of_view)
            export(options.out, options.layout, options.rooms, shoot)
    except OSError as error:
        raise ConfigError(
            f"Rooms cannot be written to {options.out} ({error.strerror}); choose another folder."
        ) from error


def advice(options: Namespace) -> str:
    """Returns a sentence with the options with which train.py, eval.py and render.py read the rooms."""
    if options.layout == "scannet_download":
        folder = options.out / "exported"
        unpack = shlex.join(["python", "scripts/prepare_scannet.py", str(options.out), str(folder)])
        return f"unpack them with {unpack} and {_reading('scannet', folder, shots.names(options.rooms))}"
    if options.layout == "rooms":
        sizes = f"--height {options.height} --width {options.width} --views_per_room {options.views}"
        return f"{_reading('rooms', options.out, map(str, options.rooms))} {sizes}"
    below = f"/{SEQUENCE}" if options.layout == "replica" else ""
    return _reading(options.layout, options.out, (name + below for name in shots.names(options.rooms)))


def _reading(dataset: str, root: Path, scenes: Iterable[str]) -> str:
    given = ["--dataset", dataset, "--data_root", str(root), "--test_scenes", ",".join(scenes)]
    return f"read them with {shlex.join(given)}"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    make(options)
    sys.stdout.write(f"The rooms are in {options.out}; {advice(options)}\n")
    return 0


if __name__ == "__main__":
    run_script(main)
