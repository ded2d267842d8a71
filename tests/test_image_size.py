"""Photographs keep their shape unless another one is asked for, and that is said."""

from argparse import Namespace

import numpy as np
import pytest
from helpers import load_folder
from script_runs import refusal, write_config

from gpnerf.commands.options import parse_options
from gpnerf.datasets.image_size import shape_of, shape_warnings, size_of_shape
from gpnerf.datasets.run_scenes import load_scenes
from gpnerf.system.errors import ConfigError
from scripts import check_data, export, view


@pytest.mark.parametrize(
    ("height", "width", "shape", "expected"),
    [
        (None, None, (72, 40), (180, 100)),
        (None, None, (40, 72), (100, 180)),
        (None, None, (1920, 1080), (180, 101)),
        (90, None, (72, 40), (90, 50)),
        (None, 90, (72, 40), (162, 90)),
        (120, 180, (72, 40), (120, 180)),
    ],
)
def test_what_is_not_given_keeps_the_shape(height, width, shape, expected):
    options = Namespace(height=height, width=width, longer_side=180)
    assert size_of_shape(options, shape) == expected


def test_one_side_on_the_command_line_takes_no_other_from_the_config(tmp_path):
    config = tmp_path / "both.txt"
    config.write_text("height = 96\nwidth = 128\n")
    sides = [
        (options.height, options.width)
        for options in (
            parse_options("", ["--config", str(config), *given])
            for given in ([], ["--height", "48"], ["--width=64"], ["--height", "48", "--width", "90"])
        )
    ]
    assert sides == [(96, 128), (48, None), (None, 64), (48, 90)]
    options = parse_options("", ["--config", str(config), "--longer_side", "640"])
    assert size_of_shape(options, (3, 4)) == (480, 640)
    with pytest.raises(ConfigError, match="Expected --longer_side or --height and --width, found --height"):
        parse_options("", ["--config", str(config), "--longer_side", "640", "--height", "48"])


def test_one_side_keeps_the_shape_in_every_script(rooms_config, rooms_run):
    words = [str(rooms_run), "--scene", "1000"]
    for parse in (export.parse, view.parse):
        assert parse([*words, "--height", "48"])[0].width is None
        whole = parse(words)[0]
        assert (whole.height, whole.width) == (24, 32)
    checked = check_data.parse([str(rooms_run), "--config", str(rooms_config), "--width", "64"])
    assert (checked.height, checked.width) == (None, 64)


def test_another_shape_is_told_with_what_to_do(scene_writer):
    scene = load_folder(scene_writer().write())
    assert shape_of(scene) == (6, 8)
    assert shape_warnings([scene], 60, 80) == shape_warnings([scene], 61, 80) == []
    (sentence,) = shape_warnings([scene], 40, 80)
    assert "everything looks 1.50 times as wide at 80x40 pixels as in its photographs of 8x6" in sentence
    assert "give --height or --width alone on the command line to keep their shape." in sentence


def test_every_size_of_a_scene_counts_without_its_border(scene_writer):
    """The first photograph fits, the last is upright: 80x60 is (8/6) / (6/8) = 1.78 times as wide."""
    writer = scene_writer()
    writer.save("images/2.png", np.full((8, 6, 3), 90, np.uint8))
    writer.top["frames"][2] |= {"w": 6, "h": 8, "cx": 3, "cy": 4}
    (sentence,) = shape_warnings([load_folder(writer.write())], 60, 80)
    assert "looks 1.78 times as wide at 80x60 pixels as in its photographs of 6x8; its ph" in sentence
    assert "differ in shape: crop them to one shape" in sentence
    writer.save("images/2.png", np.full((12, 16, 3), 90, np.uint8))
    writer.top["frames"][2] |= {"w": 16, "h": 12, "cx": 8, "cy": 6}
    (sentence,) = shape_warnings([load_folder(writer.write())], 40, 80)
    assert "give --height or --width alone" in sentence
    scene = load_folder(scene_writer(name="other").write(), border=1)
    assert shape_warnings([scene], 40, 60) == []
    assert "of 6x4; give" in shape_warnings([scene], 60, 80)[0]


def test_a_portrait_is_trained_on_as_one(scene_writer, tmp_path):
    """40x72 photographs by the default of 36 pixels for the longer side."""
    writer = scene_writer(frames=4)
    writer.top |= {"w": 40, "h": 72, "cx": 20, "cy": 36, "fl_x": 57}
    for frame in writer.top["frames"]:
        writer.save(frame["file_path"], np.full((72, 40, 3), 90, np.uint8))
    config = write_config(tmp_path / "tiny.txt", data_root=writer.write().parent, train_scenes="tiny")
    lines = [line for line in config.read_text().splitlines() if not line.startswith(("height", "width"))]
    config.write_text("\n".join([*lines, "longer_side = 36", "steps = 1"]))
    options = parse_options("", ["--config", str(config)])
    load_scenes(options, options.train_scenes)
    assert (options.height, options.width) == (36, 20)
    assert "at least 17 pixels" in refusal("train.py", "--config", config, "--longer_side", 20)
