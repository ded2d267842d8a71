"""The options by which scenes, frames and source views are chosen."""

from __future__ import annotations

from gpnerf.config.parser import Parser
from gpnerf.config.types import amount, count, frames, names, positive, yes_or_no
from gpnerf.datasets.layouts import INDEXERS, LABEL_SPACES
from gpnerf.datasets.views import METRICS, SPLIT_BY, FrameRule

DATASETS = ("rooms", *INDEXERS)
# What the head tells apart: classes, the objects of one scene, or nothing, which leaves color and depth.
TARGETS = SEMANTIC, INSTANCE, NOTHING = ("semantic", "instance", "none")
PLACE, FRAMES = "data set", "scenes and frames"


def add_place_options(parser: Parser) -> None:
    """Where the scenes are."""
    add = parser.add_argument_group(PLACE).add_argument
    add("--dataset", choices=DATASETS, default="transforms", help="kind of scenes")
    add("--data_root", default="data", help="folder that holds the scene folders")
    add("--views_per_room", type=positive, default=24, help="rooms: how many photographs of each")


def add_data_options(parser: Parser) -> None:
    """Which scenes and frames of a data set are used, and how they are read."""
    add = parser.add_argument_group(FRAMES).add_argument
    rule = FrameRule()
    add(
        "--train_scenes",
        type=names,
        default=(),
        help="a,b,c or a file of names, one a line; for rooms seeds such as 0-23",
    )
    add("--test_scenes", type=names, default=(), help="likewise; also the scenes that are rendered")
    add(
        "--label_space",
        choices=LABEL_SPACES,
        default="benchmark",
        help="ScanNet: the 20 scored classes or nyu40; Replica: 51 or 101",
    )
    add(
        "--target",
        choices=TARGETS,
        default=SEMANTIC,
        help="what is told apart: classes, or the objects of the one scene trained on, or nothing: color and "
        "depth alone, which makes GP-NeRF GNT",
    )
    add("--border", type=count, default=0, help="pixels cut off each side of the stored images")
    add("--height", type=positive, default=None, help="images are resized to this height, pixels")
    add(
        "--width",
        type=positive,
        default=None,
        help="and to this width; where one of the two is not given, images keep their shape",
    )
    add("--longer_side", type=positive, default=320, help="of images, where neither is given, pixels")
    for side, kind in (("near", "nearest"), ("far", "farthest")):
        add(
            f"--{side}",
            type=amount,
            default=None,
            help=f"{kind} depth in the units of the poses (default: as the data set says or shows)",
        )
    add(
        "--num_source_views",
        type=count,
        default=None,
        help="V, reference views per target (default: as the method wants; Sec. 5.1: 10)",
    )
    add("--view_metric", choices=METRICS, default="distance", help="how near two cameras are")
    add(
        "--split_by",
        choices=SPLIT_BY,
        default=rule.split_by,
        help="stated: the data set's own split, where it states one, goes before the next options",
    )
    add("--test_frames", type=frames, default=rule.test_frames, help="of a test scene, START:STOP:STEP")
    add("--test_limit", type=positive, default=rule.test_limit, help="only the first so many of them")
    add(
        "--source_frames",
        type=frames,
        default=rule.source_frames,
        help="of a test scene: frames that test views may be rendered from",
    )
    add(
        "--train_frames",
        type=frames,
        default=rule.train_frames,
        help="of a test scene that is also trained on (default: its source frames)",
    )
    add(
        "--held_out",
        type=yes_or_no,
        default=rule.held_out,
        help="no: test frames may be sources and trained on, as in the released code",
    )
