"""Options that choose scenes, frames and source views."""

from __future__ import annotations

from gpnerf.config.parser import Parser
from gpnerf.config.types import SCENE, count, depth_range, frames, names, positive, yes_or_no
from gpnerf.datasets.layouts import INDEXERS, LABEL_SPACES
from gpnerf.datasets.policies import OVERLAP, POLICIES
from gpnerf.datasets.views import SPLIT_BY, FrameRule

DATASETS = ("rooms", *INDEXERS)
# What the head predicts: classes, the objects of one scene, both together in any scene, or nothing, which
# leaves colour and depth.
TARGETS = SEMANTIC, INSTANCE, PANOPTIC, NOTHING = ("semantic", "instance", "panoptic", "none")
PLACE, FRAMES = "data set", "scenes and frames"


def add_place_options(parser: Parser) -> None:
    """Adds the options that say where the scenes are."""
    add = parser.add_argument_group(PLACE).add_argument
    add("--dataset", choices=DATASETS, default="transforms", help="kind of scenes")
    add("--data_root", default="data", help="folder that holds the scene folders")
    add("--views_per_room", type=positive, default=24, help="rooms: number of photographs of each room")


def add_data_options(parser: Parser) -> None:
    """Adds the options that choose scenes, frames and source views, and decide how frames are read."""
    add = parser.add_argument_group(FRAMES).add_argument
    rule = FrameRule()
    add(
        "--train_scenes",
        type=names,
        default=(),
        help="a,b,c or a file with one name per line; for rooms, seeds such as 0-23",
    )
    add("--test_scenes", type=names, default=(), help="likewise; render.py renders the first one")
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
        help="what the head predicts: classes, the objects of the single training scene, classes and objects "
        "together (panoptic, with --queries), or nothing (color and depth only, as GNT)",
    )
    add("--border", type=count, default=0, help="pixels to cut off each side of the stored images")
    add("--height", type=positive, default=None, help="height of the resized images, pixels")
    add(
        "--width",
        type=positive,
        default=None,
        help="width of the resized images, pixels; if only one of the two is given, images keep their shape",
    )
    add("--longer_side", type=positive, default=320, help="longer side of images if neither is given, pixels")
    add(
        "--depth_range",
        type=depth_range,
        default=SCENE,
        metavar="scene|published|NEAR,FAR",
        help="depths between which rays are sampled. scene: near and far that the scene states, or else what "
        "its depth maps, sparse points or photographs show, without tested frames; published: those of "
        "ScanNet and Replica; or two numbers in the units of the poses",
    )
    add(
        "--num_source_views",
        type=count,
        default=None,
        help="V, source views per target (default: the method's own; Sec. 5.1: 10)",
    )
    add(
        "--view_metric",
        choices=tuple(POLICIES),
        default=OVERLAP,
        help="source views are those that see most of the target view, or those with the nearest cameras",
    )
    add(
        "--split_by",
        choices=SPLIT_BY,
        default=rule.split_by,
        help="stated: a split that the data set states takes precedence over the options below",
    )
    add(
        "--test_frames",
        type=frames,
        default=rule.test_frames,
        help="test frames of a test scene, START:STOP:STEP",
    )
    add("--test_limit", type=positive, default=rule.test_limit, help="keep only the first N of them")
    add(
        "--source_frames",
        type=frames,
        default=rule.source_frames,
        help="frames of a test scene that may be sources of its test views",
    )
    add(
        "--train_frames",
        type=frames,
        default=rule.train_frames,
        help="training frames of a test scene that is also trained on (default: its source frames)",
    )
    add(
        "--held_out",
        type=yes_or_no,
        default=rule.held_out,
        help="no: test frames may also be sources and training frames, as in the released code",
    )
