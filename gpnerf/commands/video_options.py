"""Options of render.py alone: the camera path, and what the video shows."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

from gpnerf.config.parser import Parser
from gpnerf.config.types import image_size, positive, some_of
from gpnerf.geometry.camera_path import FPS
from gpnerf.rendering.video_pictures import MODES

VIDEO = "video"
# Paths that follow from the poses of the photographs.
INTERPOLATE, ORBIT = "interpolate", "orbit"
LAYOUTS = PANEL, APART = ("panel", "apart")


def add_video_options(parser: Parser) -> None:
    """Adds the options of render.py."""
    add = parser.add_argument_group(VIDEO).add_argument
    add(
        "--path",
        type=camera_path,
        default=INTERPOLATE,
        metavar=f"{INTERPOLATE}|{ORBIT}|FILE",
        help="camera path: through the poses of the photographs, a circle, or a file: camera_path.json of "
        "nerfstudio, or frames in the form of transforms.json; a file has its own size, frames and frames "
        "per second",
    )
    add(
        "--path_transform",
        default=None,
        metavar="FILE",
        help="dataparser_transforms.json of the nerfstudio run in whose viewer the path was recorded",
    )
    add("--frames", type=positive, default=120, help="frames of the video, unless --path is a file")
    add("--fps", type=positive, default=int(FPS), help="frames per second, unless --path is a file")
    add(
        "--video_size",
        type=image_size,
        default=None,
        metavar="HxW",
        help="height and width of the rendered views, pixels; the vertical field of view stays (default: of "
        "the path file, or else --height and --width)",
    )
    add(
        "--modes",
        type=some_of(*MODES),
        default=(),
        metavar="MODE,MODE,...",
        help=f"what to show, of {','.join(MODES)} (default: all that the model renders)",
    )
    add(
        "--layout",
        choices=LAYOUTS,
        default=PANEL,
        help=f"{PANEL}: one video with all modes side by side; {APART}: a video of each mode, in the size of "
        "the rendered views",
    )
    add("--render_scene", default=None, help="scene to render (default: the first test scene)")


def camera_path(text: str) -> str:
    """Checks that this is a kind of path or an existing file."""
    if text in (INTERPOLATE, ORBIT) or Path(text).is_file():
        return text
    raise ArgumentTypeError(
        f"expected {INTERPOLATE}, {ORBIT} or a file such as camera_path.json, found {text!r} and no such file"
    )
