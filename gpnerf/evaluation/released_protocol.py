"""The evaluation protocol of the released code, for comparing numbers: its frames, their order, its leaks.

Its test views are not unseen views: source views are neighbours in the video, and finetuning trains on some
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
    """The frames that the released code uses for a data set.

    Other data sets use the frames of the options, and test frames may be source views.
    """
    kind = "_instance" if options.target == "instance" else ""
    path: Path = REPOSITORY / "configs" / "splits" / f"{options.dataset}{kind}_frames_released.txt"
    if path.is_file():
        parser = config_parser("")
        add_data_options(parser)
        return from_options(FrameRule, parser.parse_args(["--config", str(path)]))
    return from_options(FrameRule, options, source_frames=":", held_out=False)


def released_order(dataset: str, setting: str, scene: Scene) -> list[int]:
    """The frame numbers of a scene in the order of the released code.

    For the unseen scenes of ScanNet, that code sorts the frame names as text: 0, 1, 10, 100, 1000, ...
    """
    frames = list(range(len(scene.views)))
    if dataset == "scannet" and setting == "generalized":
        return sorted(frames, key=lambda frame: scene.index.names[frame])
    return frames
