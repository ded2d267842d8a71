"""Options: the published defaults, files and command line, and sentences about what is wrong."""

import re
from argparse import Namespace
from pathlib import Path

import pytest

from gpnerf.commands.options import parse_options
from gpnerf.config.fields import from_options
from gpnerf.config.parser import write_options
from gpnerf.config.types import names, yes_or_no
from gpnerf.methods.settings import Settings
from gpnerf.system.errors import ConfigError
from gpnerf.training.schedule import Schedule
from gpnerf.training.updater import StepOptions

FOLDER = Path(__file__).parent.parent / "configs"
CONFIGS = sorted([*FOLDER.glob("*.txt"), *FOLDER.glob("baselines/*.txt")])


def parse(*arguments):
    return parse_options("test", arguments)


def parse_file(tmp_path, text, *arguments):
    path = tmp_path / "options.txt"
    path.write_text(text)
    return parse("--config", str(path), *arguments)


def test_a_field_that_no_option_has_keeps_its_default():
    assert from_options(StepOptions, Namespace(num_rays=7)) == StepOptions(num_rays=7)
    assert from_options(StepOptions, Namespace(num_rays=7), num_rays=8, accumulate=2) == StepOptions(8, 2)


def test_defaults_are_the_published_values():
    options = parse()
    expected = {
        "num_rays": 512,
        "num_source_views": 10,
        "samples": 48,
        "fine_samples": 16,
        "steps": 200_000,
        "lr_extractor": 5e-3,
        "lr_transformer": 1e-5,
        "lr_head": 5e-5,
        "transformer_width": 64,
        "level_width": 128,
        "layers": 8,
        "heads": 4,
        "spacing": "inverse",
        "joint_attention": True,
        "gradient_block": "full",
    }
    assert {name: getattr(options, name) for name in expected} == expected


def test_options_fill_the_dataclasses_with_their_own_defaults():
    options = parse()
    assert from_options(Schedule, options) == Schedule()
    assert from_options(StepOptions, options) == StepOptions()
    assert Settings.from_options(options, 7) == Settings.of("gpnerf", classes=7)


def test_options_reach_the_field_of_their_name():
    options = parse(
        "--lr_head", "0.5", "--decay_steps", "9", "--weight_distill", "3", "--encoder_blocks", "1,2,3"
    )
    assert from_options(Schedule, options) == Schedule(decay_steps=9)
    expected = Settings.of("gpnerf", lr_head=0.5, weight_distill=3.0, encoder_blocks=(1, 2, 3))
    assert Settings.from_options(options, 0) == expected
    assert (expected.recipe.lr_head, expected.recipe.weight_distill) == (0.5, 3.0)
    assert expected.sizes.encoder_blocks == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-3,7", ("0", "1", "2", "3", "7")),
        ("5-5", ("5",)),
        ("room_0, office_1", ("room_0", "office_1")),
        ("scene-a,b-2", ("scene-a", "b-2")),
        ("a,,b,", ("a", "b")),
        ("", ()),
    ],
)
def test_lists_of_names(text, expected):
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("yes", True), ("No", False), ("true", True), ("FALSE", False)]
)
def test_yes_and_no(tmp_path, text, expected):
    assert yes_or_no(text) is expected
    assert parse("--joint_attention", text).joint_attention is expected
    assert parse_file(tmp_path, f"detach_decoder = {text}\n").detach_decoder is expected


def test_a_file_wins_over_defaults_and_the_command_line_over_the_file(tmp_path):
    text = "# a comment\nsteps = 30\nnum_rays = 64\ntrain_scenes = 0-2\n"
    options = parse_file(tmp_path, text, "--num_rays", "8")
    assert (options.steps, options.num_rays, options.train_scenes) == (30, 8, ("0", "1", "2"))
    assert options.num_source_views == 10


def test_an_unknown_option_on_the_command_line_is_named_with_a_suggestion():
    with pytest.raises(ConfigError, match="Unknown option --num_ray; did you mean --num_rays"):
        parse("--num_ray", "5")
    with pytest.raises(ConfigError, match="Unknown option --qqqqqqqq; see --help"):
        parse("--qqqqqqqq=5")


@pytest.mark.parametrize(
    ("script", "words", "sentence"),
    [
        ("eval", "--steps 3 --stride 2", "eval.py does not use --steps."),
        ("render", "--seed 3 --test_scenes a", "render.py does not use --seed."),
        ("train", "--checkpoint rooms --seed 3", "train.py does not use --checkpoint."),
        (
            "render",
            "--samples=24 --lpips no",
            "render.py does not use --samples, --lpips: the model keeps the --samples of its training.",
        ),
    ],
)
def test_a_script_says_what_it_does_not_use_of_its_command_line(caplog, script, words, sentence):
    caplog.set_level("INFO")
    parse_options("", words.split(), script)
    assert [one.message for one in caplog.records] == [sentence]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("train", "--samples 24 --guide 2 --config configs/rooms.txt"),
        ("eval", "--guide 2 --workers 0"),
        (None, "--stride 2 --steps 3"),
    ],
)
def test_nothing_is_said_of_options_that_are_used(caplog, script, words):
    caplog.set_level("INFO")
    parse_options("", words.replace("configs", str(FOLDER)).split(), script)
    assert not caplog.records


@pytest.mark.parametrize("name", ["config", "variant"])
def test_a_second_file_that_would_take_the_place_of_the_first_is_refused(name):
    files = [f"--{name}", str(FOLDER / "rooms.txt"), f"--{name}={FOLDER / 'scannet.txt'}"]
    with pytest.raises(ConfigError, match=f"Expected one --{name}, found 2; make one file that holds"):
        parse(*files)


def test_options_of_a_file_may_be_those_of_the_training(caplog, tmp_path):
    path = tmp_path / "options.txt"
    path.write_text("samples = 24")
    caplog.set_level("INFO")
    parse_options("", ["--config", str(path)], "eval")
    assert not caplog.records


def test_an_unknown_option_in_a_file_is_named_with_a_suggestion(tmp_path):
    with pytest.raises(ConfigError, match=r"--nun_rays .*options\.txt.*did you mean --num_rays"):
        parse_file(tmp_path, "nun_rays = 5\n")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("steps", "many", "whole number of at least 1"),
        ("steps", "0", "whole number of at least 1"),
        ("num_rays", "1.5", "whole number of at least 1"),
        ("seed", "-1", "whole number of at least 0"),
        ("workers", "-1", "whole number of at least 0"),
        ("lr_head", "nan", "finite number of at least 0"),
        ("whole_maps", "1.5", "a number from 0 to 1"),
        ("whole_maps", "-1", "a number from 0 to 1"),
        ("depth_range", "near", "scene, published or NEAR,FAR with 0 < NEAR < FAR"),
        ("depth_range", "3,2", "0 < NEAR < FAR"),
        ("depth_range", "2,2", "0 < NEAR < FAR"),
        ("depth_range", "0,2", "0 < NEAR < FAR"),
        ("depth_range", "-1,2", "0 < NEAR < FAR"),
        ("depth_range", "1,inf", "0 < NEAR < FAR"),
        ("depth_range", "nan,2", "0 < NEAR < FAR"),
        ("depth_range", "2", "0 < NEAR < FAR"),
        ("depth_range", "1,2,3", "0 < NEAR < FAR"),
        ("joint_attention", "maybe", "yes or no"),
        ("spacing", "cubic", "inverse.*linear"),
        ("dataset", "llff", "rooms.*transforms.*scannet"),
        ("encoder_blocks", "3,x", "3,4,6"),
        ("vary", "size,colour", "some of size,sources,spacing,exposure,damage"),
    ],
)
def test_a_wrong_value_is_told_on_the_command_line_and_in_a_file(tmp_path, option, value, expected):
    with pytest.raises(ConfigError) as on_the_command_line:
        parse(f"--{option}={value}")
    with pytest.raises(ConfigError) as in_a_file:
        parse_file(tmp_path, f"{option} = {value}\n")
    for sentence in (str(on_the_command_line.value), str(in_a_file.value)):
        assert f"--{option}" in sentence and repr(value) in sentence and re.search(expected, sentence)


def test_a_missing_file_of_options_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="absent"):
        parse("--config", str(tmp_path / "absent.txt"))


def test_the_depth_range_is_a_source_or_two_numbers():
    assert parse().depth_range == "scene"
    assert parse("--depth_range=published").depth_range == "published"
    assert parse("--depth_range", "0.5, 6").depth_range == (0.5, 6.0)


@pytest.mark.parametrize("side", ("near", "far"))
def test_options_of_before_name_what_takes_their_place(tmp_path, side):
    """They stand in the config.txt of runs of earlier versions, too."""
    with pytest.raises(ConfigError, match=f"^--{side} is no longer an option; use --depth_range NEAR,FAR.$"):
        parse(f"--{side}=2")
    with pytest.raises(
        ConfigError, match=rf"--{side} \(.*options\.txt\) is no longer an option; use --depth"
    ):
        parse_file(tmp_path, f"{side} = 2.0\n")


def test_written_options_can_be_read_again(tmp_path):
    options = parse(
        "--train_scenes=0-3,7",
        "--lpips=no",
        "--lr_head=1e-07",
        "--depth_range=1,4",
        "--encoder_blocks=1,1,2",
        "--vary=size,damage",
    )
    write_options(options, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.txt"]
    again = parse("--config", str(tmp_path / "config.txt"))
    differing = {name for name, value in vars(options).items() if getattr(again, name) != value}
    assert differing == {"config"}
    # Written over itself, as when a run is resumed.
    write_options(again, tmp_path)
    assert parse("--config", str(tmp_path / "config.txt")) == again


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_config_files_of_the_repository_are_valid(path):
    options = parse("--config", str(path))
    Settings.from_options(options, 2)
    assert options.dataset in path.stem.split("_")


def test_an_included_file_is_overruled_by_the_lines_of_its_includer(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "inner.txt").write_text("steps = 1\nseed = 1\nfps = 1\n")
    (tmp_path / "parts" / "middle.txt").write_text("seed = 2\nfps = 2\ninclude = inner.txt\n")
    (tmp_path / "outer.txt").write_text("include = parts/middle.txt\nfps = 3\n")
    options = parse("--config", str(tmp_path / "outer.txt"))
    assert (options.steps, options.seed, options.fps) == (1, 2, 3)


def test_an_include_that_is_not_there_or_goes_in_circles_is_refused(tmp_path):
    config = tmp_path / "a.txt"
    config.write_text("include = b.txt\n")
    with pytest.raises(ConfigError, match="a.txt: expected the file .*b.txt to include, found No such file"):
        parse("--config", str(config))
    (tmp_path / "b.txt").write_text("include = a.txt\n")
    with pytest.raises(ConfigError, match="a.txt includes itself through .*b.txt"):
        parse("--config", str(config))


def test_scenes_may_be_named_by_a_file(tmp_path):
    (tmp_path / "scenes.txt").write_text("# two\nattic  # under the roof\n\noffice_0/Sequence_1\n")
    options = parse("--train_scenes", f"cellar,{tmp_path / 'scenes.txt'}")
    assert options.train_scenes == ("cellar", "attic", "office_0/Sequence_1")
    with pytest.raises(ConfigError, match="expected a file of scene names, found no nowhere.txt"):
        parse("--train_scenes", "nowhere.txt")


def test_several_files_are_included_in_their_order(tmp_path):
    (tmp_path / "a.txt").write_text("steps = 1\nnum_rays = 2\n")
    (tmp_path / "b.txt").write_text("num_rays = 3\nseed = 4\n")
    options = parse_file(tmp_path, "include = a.txt, b.txt\nseed = 5\n")
    assert (options.steps, options.num_rays, options.seed) == (1, 3, 5)
