"""Keys of trainings and evaluations: hashes of everything that decides their results."""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from collections.abc import Sequence
from copy import copy
from typing import Any

from gpnerf.commands.options import names_read
from gpnerf.config.fields import from_options, option_names
from gpnerf.datasets.fingerprint import fingerprint
from gpnerf.datasets.layouts import Reading
from gpnerf.datasets.run_scenes import load_scenes
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.views import FrameRule
from gpnerf.methods.registry import method_class
from gpnerf.rooms.shots import VERSION as ROOMS
from gpnerf.training.find_model import find_model
from gpnerf.training.schedule import Schedule

DIGITS = 16
# Options that say where things are or how often something is written; data and weights have their own hashes.
PLACES = {"help", "config", "variant", "expname", "out", "device", "workers", "data_root", "load_weights"}
RECORDS = {"log_every", "picture_every", "checkpoint_every", "milestone_every", "max_hours"}
# What eval.py reads, but does not change its scores, or is already part of the key of the training.
EVALUATED = {"checkpoint", "chunk_size", "table", "train_scenes", "test_scenes", "seed"}
# Options of a training that count steps, and so follow from a budget.
SCALED = tuple(name for name in option_names(Schedule) if name.endswith("_steps"))


def hashed(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:DIGITS]


class DataVersions:
    """Versions of scenes as a run reads them; a scene is read once."""

    def __init__(self) -> None:
        self._scenes: dict[str, Scene] = {}

    def scene(self, options: Namespace, name: str) -> Scene:
        """Loads a scene, makes a room that is missing. Raises DataError if it cannot be read."""
        reading = from_options(Reading, options, rule=from_options(FrameRule, options))
        size = (options.height, options.width, options.views_per_room)
        place = str((options.dataset, options.data_root, name, reading, size))
        if place not in self._scenes:
            # A copy, because loading sets sizes that the options leave open.
            (self._scenes[place],) = load_scenes(copy(options), [name])
        return self._scenes[place]

    def __call__(self, options: Namespace, names: Sequence[str]) -> list[str]:
        """Changes when a file of these scenes does; rooms follow from their options and their version."""
        if options.dataset == "rooms":
            return [f"rooms {ROOMS}"]
        scenes = [self.scene(options, name) for name in names]
        return [fingerprint(scene, range(len(scene.views))) for scene in scenes]


def training_key(options: Namespace, data: DataVersions, start: str | None) -> str:
    """The key of a training. start: the key of the training from which it starts, if that is in the store."""
    if start is None and options.load_weights:
        start = find_model(options.load_weights).fingerprint()
    return hashed([*_trained(options), data(options, options.train_scenes), start])


def evaluation_key(training: str, options: Namespace, data: DataVersions, scene: str) -> str:
    """The key of the evaluation of a training on a scene."""
    read = names_read(method_class(options.method), "eval") - PLACES - EVALUATED
    return hashed([training, scene, data(options, [scene]), _values(options, read)])


def pace_key(options: Namespace) -> str:
    """Key of the speed of a training, the same for all scenes, seeds, learning rates, numbers of steps."""
    rates = {name for name in vars(options) if name.startswith("lr_")}
    return hashed(_trained(options, {"seed", "train_scenes", "test_scenes", "steps", *SCALED, *rates}))


def _trained(options: Namespace, without: set[str] = frozenset()) -> list[Any]:
    """The method, its version and the options that decide a training."""
    method = method_class(options.method)
    read = names_read(method, "train") - PLACES - RECORDS - without
    return [options.method, method.version, _values(options, read)]


def _values(options: Namespace, names: set[str]) -> dict[str, Any]:
    """The options that are on, so that a new option keeps the keys of what ran before there was one."""
    return {name: value for name in sorted(names) if (value := getattr(options, name))}
