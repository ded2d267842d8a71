"""The evaluation of the released code, to compare numbers with: its frames, their order, and its leaks.

Its scores are not those of unseen views: sources are neighbours in the video, and finetuning has seen some
of the test frames. The clean protocol is the FrameRule of the options.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from gpnerf.config.fields import from_options
from gpnerf.config.parser import config_parser
from gpnerf.config.types import REPOSITORY
from gpnerf.datasets.options import add_data_options
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import FrameRule


def released_rule(options: Namespace) -> FrameRule:
    """The frames of the released code for a data set, or the options' own with test frames as sources."""
    kind = "_instance" if options.target == "instance" else ""
    path: Path = REPOSITORY / "configs" / "splits" / f"{options.dataset}{kind}_frames_released.txt"
    if path.is_file():
        parser = config_parser("")
        add_data_options(parser)
        return from_options(FrameRule, parser.parse_args(["--config", str(path)]))
    return from_options(FrameRule, options, source_frames=":", held_out=False)


def released_order(dataset: str, setting: str, scene: Scene) -> list[int]:
    """The frames in the order in which the released code counts them.

    Of ScanNet's unseen scenes it sorts the numbers as texts: 0, 1, 10, 100, 1000, ...
    """
    frames = list(range(len(scene.views)))
    if dataset == "scannet" and setting == "generalized":
        return sorted(frames, key=lambda frame: scene.index.names[frame])
    return frames
