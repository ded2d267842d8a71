"""In which classes the labels of an evaluation are drawn and scored, if the data have classes at all."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from gpnerf.datasets.class_maps import OTHER, ClassMap
from gpnerf.datasets.run_scenes import common_labels
from gpnerf.datasets.scene import Scene
from gpnerf.system.wording import some

log = logging.getLogger("eval")

LEFT_OUT = "mIoU and accuracies are left out."
# The fact of an evaluation that tells of labels that a model made.
ORIGIN = "labels"


@dataclass(frozen=True)
class LabelScoring:
    """How labels are scored.

    scenes: with labels in `class_names`, or without labels. class_names: of true and rendered labels. scored:
    whether they are compared. predicted: int64 [K + 1], class of the model -> class_names, None if these are
    its own. shared: words for how many of the data's classes are compared, "" for all.
    """

    scenes: list[Scene]
    class_names: tuple[str, ...]
    scored: bool
    predicted: Tensor | None = None
    shared: str = ""


def score_labels(own: tuple[str, ...], scenes: list[Scene], map_classes: bool) -> LabelScoring:
    """Settles how labels are scored; logs what is left out, and why.

    own: class names of the model. map_classes: compares classes that the model and other data share. Raises
    DataError if the scenes have different classes.
    """
    labels = common_labels(scenes)
    if not own:
        log.info(f"The model was trained without classes: {LEFT_OUT}")
    elif labels is None:
        log.info(f"The test scenes have no labels: {LEFT_OUT}")
    elif labels.names == own:
        return LabelScoring(scenes, own, scored=True)
    else:
        return _of_other_classes(own, labels.names, scenes, map_classes)
    return LabelScoring(scenes, own, scored=False)


def _of_other_classes(
    own: tuple[str, ...], names: Sequence[str], scenes: list[Scene], map_classes: bool
) -> LabelScoring:
    found = ClassMap.between(own, names)
    shared = found.shared
    differ = f"The model knows other classes ({some(own, 4)}) than the test scenes have ({some(names, 4)})"
    if not (map_classes and shared):
        remedy = f"--map_classes yes scores the {len(shared)} in common" if shared else "none are in common"
        log.info(f"{differ}, so {LEFT_OUT.removesuffix('.')}; {remedy}.")
        return LabelScoring([replace(scene, labels=None) for scene in scenes], own, scored=False)
    extent, unsaid = f"{len(shared)} of {len(names)}", [name for name in names if name not in shared]
    dropped = f" Pixels of {some(unsaid)} do not count." if unsaid else ""
    wrong = " A class that the data do not have is a wrong answer." if OTHER in found.names else ""
    log.info(
        f"{differ}: labels are scored in the {extent} that both know ({', '.join(shared)}).{dropped}{wrong} "
        "--map_classes no leaves labels out."
    )
    mapped = [found.relabelled(scene) for scene in scenes]
    return LabelScoring(mapped, found.names, True, found.predicted, extent)


def label_origin(scenes: Iterable[Scene]) -> dict[str, str]:
    """The fact that models made the labels of some scenes, for tables; empty where all labels are true."""
    models = dict.fromkeys(scene.index.labels_made_by for scene in scenes)
    models.pop("", None)
    return {ORIGIN: f"made by {', '.join(models)}, not the truth"} if models else {}


def joint_origin(facts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The same for a table of several evaluations, of which these are the facts."""
    told = dict.fromkeys(one[ORIGIN] for one in facts if one.get(ORIGIN))
    return {ORIGIN: "; ".join(told)} if told else {}
