"""The data of a training: scenes, held-out views and class names, as the options choose them."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from gpnerf.config.fields import from_options
from gpnerf.datasets.examples import TestView, TrainingScene
from gpnerf.datasets.instances import (
    HUNGARIAN,
    check_segments,
    instance_ids,
    known_objects,
    most_instances,
    slot_names,
    with_objects,
)
from gpnerf.datasets.options import INSTANCE, NOTHING, PANOPTIC
from gpnerf.datasets.probes.object_ids import id_agreement
from gpnerf.datasets.run_scenes import (
    common_labels,
    describe_gaps,
    describe_missing,
    describe_ranges,
    describe_splits,
    load_scenes,
    test_views,
    training_scenes,
)
from gpnerf.datasets.scene import Scene
from gpnerf.datasets.variation import KINDS, SIZE, SOURCES, UNIT
from gpnerf.datasets.views import FrameRule
from gpnerf.geometry.canonical import CAMERA, WORLD
from gpnerf.methods.method import Method
from gpnerf.methods.registry import method_class
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.system.wording import some

log = logging.getLogger("train")

# Below this share of points with equal ids in neighbouring frames, ids mean other objects in other views.
FEWEST_EQUAL = 0.5
PANOPTIC_VARIANT = "configs/variants/panoptic.txt"
# Options that are off where there are no queries.
NEEDED_BY_QUERIES = ("lr_queries", "weight_query_class", "weight_query_mask")
# Frames of a scene in which objects are counted, for a warning.
FRAMES_COUNTED = 8


class TrainingData(NamedTuple):
    """The data of a training.

    trained: scenes to train on. tested: held-out views. class_names: of the classes or objects to learn,
    empty for none.
    """

    trained: list[TrainingScene]
    tested: list[TestView]
    class_names: tuple[str, ...]


def load_training_data(options: Namespace) -> TrainingData:
    """Loads the data; raises ConfigError or DataError for scenes that do not fit the options."""
    if not options.train_scenes:
        raise ConfigError("Expected scenes to train on, found none; name them with --train_scenes.")
    rule = from_options(FrameRule, options)
    train = load_scenes(options, options.train_scenes)
    test = load_scenes(options, options.test_scenes)
    _check(options, train)
    if options.target == INSTANCE:
        names = _objects(options, training_scenes(train, test, rule), test_views(test, rule))
        train, test = ([with_objects(scene, names) for scene in scenes] for scenes in (train, test))
    both = [*train, *test]
    told = [*describe_ranges(both), *describe_splits(both, rule), *describe_gaps(test)]
    for sentence in [*told, *describe_missing(train)]:
        log.info(sentence)
    labels = None if options.target == NOTHING else common_labels(train)
    names = labels.names if labels else ()
    test = [_without_other_labels(scene, names) for scene in test]
    trained = training_scenes(train, test, rule)
    if not method_class(options.method).renders:
        trained = _labelled_alone(trained, options.method)
    if options.target == PANOPTIC:
        check_segments(train)
        _warn_of_crowds(options, trained)
    return TrainingData(trained, test_views(test, rule), names)


def _labelled_alone(trained: Sequence[TrainingScene], method: str) -> list[TrainingScene]:
    """The scenes with those targets alone that have labels. Raises DataError if there are none."""
    found = [one._replace(targets=list(filter(one.scene.is_labelled, one.targets))) for one in trained]
    found = [one for one in found if one.targets]
    if not found:
        raise DataError(
            f"{some(one.scene.name for one in trained)}: expected labels, which are all that --method "
            f"{method} learns, found none in the training frames; add label maps, or choose another method."
        )
    return found


def _warn_of_crowds(options: Namespace, trained: Sequence[TrainingScene]) -> None:
    """Logs a warning if some of the training frames show more objects than there are queries."""
    most = most_instances(trained, options.height, options.width, FRAMES_COUNTED)
    if most > options.queries:
        log.warning(
            f"Warning: there are views with {most} objects, but --queries {options.queries}, each of which "
            f"finds one: in such views, some are never found; raise --queries to {most} or more."
        )


def _without_other_labels(scene: Scene, names: tuple[str, ...]) -> Scene:
    """The test scene, without its labels if they are of other classes than those to learn."""
    if not names or scene.labels is None or scene.labels.names == names:
        return scene
    log.info(f"{scene.name} has other classes than the training scenes: pictures of it show no true labels.")
    return replace(scene, labels=None)


def _check(options: Namespace, train: Sequence[Scene]) -> None:
    """Raises ConfigError for options that do not fit the method or the target."""
    method = method_class(options.method)
    method.check_size(options.height, options.width)
    recipe = from_options(method.Recipe, options)
    if method.of_one_scene(recipe) and len(train) > 1:
        how = " with these options" if method.adopts_scene(recipe) else ""
        raise ConfigError(
            f"Expected one scene, because --method {options.method} learns a single one{how}, found "
            f"{len(train)}; name one with --train_scenes."
        )
    if options.vary:
        _check_variation(options, method, recipe)
    if options.target not in method.targets:
        raise ConfigError(
            f"Expected --target {' or '.join(method.targets)}, which is all that --method {options.method} "
            f"learns, found {options.target}; change one of them."
        )
    _check_queries(options)
    if _matches_objects(options) and options.target != INSTANCE:
        raise ConfigError(
            f"Expected --target {INSTANCE} with --instance_matching {HUNGARIAN}, found {options.target}; "
            "change one of them."
        )


def _check_queries(options: Namespace) -> None:
    """Raises ConfigError for queries without their target or their losses, and the reverse."""
    queries = getattr(options, "queries", 0)
    if bool(queries) != (options.target == PANOPTIC):
        remedy = f"add --queries, as {PANOPTIC_VARIANT} does" if not queries else f"add --target {PANOPTIC}"
        raise ConfigError(
            f"Expected --target {PANOPTIC} together with --queries above 0, found --target {options.target} "
            f"and {queries or 'no'} queries; {remedy}, or choose another target."
        )
    lacking = [name for name in NEEDED_BY_QUERIES if queries and not getattr(options, name)]
    if lacking:
        raise ConfigError(
            f"Expected --{lacking[0]} above 0 with --target {PANOPTIC}, found 0: the queries would learn "
            f"nothing; take the value of {PANOPTIC_VARIANT}."
        )


def _check_variation(options: Namespace, method: type[Method], recipe: Any) -> None:
    """Raises ConfigError for variation of what the method lacks, or needs in one form.

    A model of one scene knows its photographs as they are.
    """
    if UNIT in options.vary and getattr(options, "coordinates", WORLD) == WORLD:
        raise ConfigError(
            f"Expected --vary without {UNIT} in coordinates of the world, which have no unit, found "
            f"--vary {','.join(options.vary)}; leave it out, or choose --method gpnerf "
            f"--coordinates {CAMERA}."
        )
    fixed = {SOURCES} if method.fixed_source_views else set()
    one_scene = method.of_one_scene(recipe) or not options.num_source_views
    wrong = set(options.vary) & (set(KINDS) - {SIZE} if one_scene else fixed)
    if wrong:
        adopts = method.adopts_scene(recipe)
        reason = "learns a single scene" if adopts else f"always has {options.num_source_views} source views"
        raise ConfigError(
            f"Expected --vary without {' and '.join(sorted(wrong))}, as --method {options.method} {reason}, "
            f"found --vary {','.join(options.vary)}; leave out {'that' if len(wrong) == 1 else 'those'}."
        )


def _matches_objects(options: Namespace) -> bool:
    """Whether each view matches objects to outputs anew; not every method has this option."""
    return getattr(options, "instance_matching", None) == HUNGARIAN


def _objects(
    options: Namespace, trained: Sequence[TrainingScene], tested: Sequence[TestView]
) -> tuple[str, ...]:
    """Names of the head's outputs when it learns objects."""
    if _matches_objects(options):
        return slot_names(options.slots or _slots(options, trained))
    if len(trained) > 1:
        raise ConfigError(
            f"Expected one scene with --target instance, found {len(trained)}, whose instance ids mean "
            f"different objects; train on one, or add {_matching_option(options)}."
        )
    _check_ids(trained[0], options)
    return known_objects(trained[0], tested, options.height, options.width)


def _check_ids(trained: TrainingScene, options: Namespace) -> None:
    """Raises DataError if true depth shows that ids mean other objects in other views."""
    scene, frames, _ = trained
    share = id_agreement(scene, frames, options.height, options.width)
    if share is not None and share < FEWEST_EQUAL:
        raise DataError(
            f"{scene.name}: expected instance ids that mean the same objects in all views, found that "
            f"neighbouring frames give only {share:.0%} of the points that both show the same id; give each "
            f"object one id, or add {_matching_option(options)}."
        )


def _matching_option(options: Namespace) -> str:
    """The options with which ids may mean other objects in each view."""
    method = "" if hasattr(options, "instance_matching") else "--method gpnerf "
    return f"{method}--instance_matching {HUNGARIAN}"


def _slots(options: Namespace, trained: Sequence[TrainingScene]) -> int:
    """As many slots as a view can need, or the scene, where the model holds all of it at once."""
    size = options.height, options.width
    if not method_class(options.method).per_scene:
        return most_instances(trained, *size)
    (scene,) = trained
    return len(instance_ids(scene.scene, scene.targets, *size))
