"""Checks scenes before training: every file, the labels, the poses, and how much source views see.

    python scripts/check_data.py data/scannet
    python scripts/check_data.py data/scannet --config configs/scannet.txt    # scenes and frames of a run
    python scripts/check_data.py recordings/office

One report names everything that is missing, unreadable, odd-sized or out of range, with a remedy. It is
printed and kept in OUT with pictures of every scene: epipolar lines, one view warped into the next, and the
camera path from above. The exit code is 2 if there are faults.
"""

from __future__ import annotations

import math
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from gpnerf.commands.options import let_shape_follow, parse_options
from gpnerf.config.fields import from_options
from gpnerf.config.parser import Parser, words_of
from gpnerf.datasets.discover import FoundScene, find_scenes
from gpnerf.datasets.image_size import shape_of, size_of_shape
from gpnerf.datasets.layouts import Reading, scene_to_check
from gpnerf.datasets.options import add_data_options
from gpnerf.datasets.places import scene_name
from gpnerf.datasets.views import FrameRule
from gpnerf.inspection.checks import SceneCheck, check_scene
from gpnerf.inspection.pictures import epipolar_panel, path_panel, warp_panel
from gpnerf.inspection.text import describe_labels, describe_scene
from gpnerf.inspection.warnings import warnings_of
from gpnerf.media.images import write_image
from gpnerf.system.errors import ConfigError, Faults
from gpnerf.system.scripting import EXIT_USER_FAULT, make_folder, run_script


def parse(arguments: Sequence[str] | None) -> Namespace:
    """Parses the options; those of --config replace defaults."""
    parser = Parser(description=__doc__, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("root", metavar="ROOT", type=Path, help="folder of scenes, or of one scene")
    parser.add_argument("--config", help="file of options: check the scenes and frames of that run")
    parser.add_argument(
        "--out", type=Path, help="folder of report and pictures (default: out/check_data/NAME)"
    )
    add_data_options(parser)
    config = parser.parse_args(arguments).config
    of_run = vars(parse_options("", ["--config", config] if config else []))
    parser.set_defaults(**{**of_run, "out": None})
    options = parser.parse_args(arguments)
    let_shape_follow(options, words_of(arguments))
    options.out = options.out or Path("out") / "check_data" / options.root.resolve().name
    return options


def chosen_scenes(options: Namespace) -> list[FoundScene]:
    """Scenes that the options name, or all scenes below the root."""
    found = find_scenes(options.root)
    wanted = {scene_name(found[0].root, name) for name in (*options.train_scenes, *options.test_scenes)}
    if not wanted:
        return found
    missing = sorted(wanted - {scene.name for scene in found})
    if missing:
        raise ConfigError(
            f"{options.root}: expected the scenes {', '.join(missing)}, found no such folders; "
            "download them, or leave the names out to check the scenes that exist."
        )
    return [scene for scene in found if scene.name in wanted]


class DataCheck:
    """A report over scenes: faults first, then a paragraph for every scene."""

    def __init__(self, options: Namespace) -> None:
        self.options = options
        self.faults = Faults()
        self.paragraphs: list[str] = []
        self.checks: list[SceneCheck] = []

    def run(self) -> str:
        """Checks every scene, writes pictures and report.txt, and returns the report."""
        folder = make_folder(self.options.out)
        for place in tqdm(chosen_scenes(self.options), desc="Checking", unit="scene"):
            before = len(self.faults.sentences)
            with self.faults.collected():
                check = self._check(place)
                self.checks.append(check)
                found = len(self.faults.sentences) - before
                self.paragraphs.append(describe_scene(check, found))
                for name, picture in self._pictures(check):
                    write_image(make_folder(folder / place.name) / f"{name}.png", picture)
        report = "\n".join(self._lines())
        (folder / "report.txt").write_text(report, encoding="utf-8")
        return report

    def _check(self, place: FoundScene) -> SceneCheck:
        options = self.options
        rule = from_options(FrameRule, options)
        reading = from_options(Reading, options, rule=rule)
        scene = scene_to_check(*place, reading, self.faults)
        size = size_of_shape(options, shape_of(scene))
        return check_scene(scene, *size, rule, options.num_source_views, options.view_metric, self.faults)

    def _pictures(self, check: SceneCheck) -> Iterator[tuple[str, object]]:
        if check.pair:
            yield "epipolar", epipolar_panel(*check.pair)
            if check.pair[0].depth is not None:
                yield "warp", warp_panel(*check.pair)
        camera = check.scene.views[0].camera
        angle = 2.0 * math.atan(0.5 * camera.width / float(camera.intrinsics[0, 0]))
        yield "path", path_panel(check.scene.poses, check.scene.near, check.scene.far, angle, check.test)

    def _lines(self) -> Iterator[str]:
        warnings = [sentence for check in self.checks for sentence in warnings_of(check)]
        for title, sentences in (("Faults", self.faults.sentences), ("Warnings", warnings)):
            yield f"{title}: {len(sentences) or 'none'}"
            yield from (f"  {number + 1}. {sentence}" for number, sentence in enumerate(sentences))
            yield ""
        yield from self.paragraphs
        yield describe_labels(self.checks)
        yield f"Pictures and this report: {self.options.out}"
        yield ""


def main(arguments: Sequence[str] | None = None) -> int:
    check = DataCheck(parse(arguments))
    sys.stdout.write(check.run())
    return EXIT_USER_FAULT if check.faults.sentences else 0


if __name__ == "__main__":
    run_script(main)
