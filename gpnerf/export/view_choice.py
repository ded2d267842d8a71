"""Which views of a scene are exported, and which photographs may be their sources."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import NamedTuple

from gpnerf.config.types import frames, parse_frames
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import FrameRule
from gpnerf.system.errors import ConfigError

NAMED = TRAIN, TEST, ALL = ("train", "test", "all")


class ViewChoice(NamedTuple):
    """Numbers of the views to render, and of those that may be their sources."""

    views: list[int]
    sources: list[int]


def chosen_views(text: str) -> str:
    """Checks one of NAMED or START:STOP:STEP, and returns it unchanged."""
    try:
        return text if text in NAMED else frames(text)
    except ArgumentTypeError:
        raise ArgumentTypeError(
            f"expected {', '.join(NAMED)} or START:STOP:STEP such as ::4, found {text!r}"
        ) from None


def choose(scene: Scene, rule: FrameRule, wanted: str) -> ViewChoice:
    """Chooses the views of a scene by chosen_views. Raises ConfigError if there are none."""
    everything = list(range(len(scene.views)))
    if wanted == ALL:
        return ViewChoice(everything, everything)
    split = rule.split(len(everything), scene.name, scene.index.splits)
    named = {TRAIN: split.train, TEST: split.test}
    found = named[wanted] if wanted in named else everything[parse_frames(wanted)]
    if not found:
        raise ConfigError(
            f"--views {wanted}: expected some of the {len(everything)} views of {scene.name}, found none; "
            "choose others."
        )
    return ViewChoice(found, split.sources)
