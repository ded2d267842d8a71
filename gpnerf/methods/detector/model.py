"""What the detectors share: they find the objects of a scene in a photograph and draw a mask of each."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from gpnerf.datasets.examples import Example
from gpnerf.datasets.options import INSTANCE
from gpnerf.methods.detector.instances import boxes_and_masks, pasted
from gpnerf.methods.detector.network import PyramidBackbone, build_network
from gpnerf.methods.detector.settings import Function, Recipe, Sizes
from gpnerf.methods.method import Labels, StepLosses
from gpnerf.methods.segmenter import Segmenter

# torchvision's names of the losses, and ours.
LOSSES = {
    "loss_objectness": "objectness",
    "loss_rpn_box_reg": "proposals",
    "loss_classifier": "classes",
    "loss_box_reg": "boxes",
    "loss_mask": "masks",
}


class Detector(Segmenter):
    """A detector with a class for each object of one scene; unlabelled pixels are background.

    The label map holds the slot of each pixel and its score, which `labels` passes on. published: the
    networks whose weights torchvision publishes, in words.
    """

    published: ClassVar[str]

    Function, Recipe = Function, Recipe
    per_scene = True
    targets = (INSTANCE,)
    defaults = Segmenter.defaults | {
        "target": INSTANCE,
        "steps": 20_000,
        "decay_rate": 0.1,
        "decay_steps": 20_000,
    }

    def __init__(self, sizes: Sizes, function: Function, recipe: Recipe) -> None:
        super().__init__(sizes, function, recipe)
        self.network = build_network(self.backbone(), sizes, function, recipe)

    @classmethod
    def published_sizes(cls, classes: int) -> Sizes:
        """The sizes of published weights."""
        return cls.Sizes(classes=classes)

    @abstractmethod
    def backbone(self) -> PyramidBackbone:
        """The trunk of the detector, freshly initialised, with its pyramid."""

    def losses(self, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
        """See Method. The boxes that a step trains are drawn by the global generator."""
        target = example.target
        found = self.network([target.image], [boxes_and_masks(target.semantic)])
        return StepLosses({ours: found[theirs] for theirs, ours in LOSSES.items()})

    def target_map(self, image: Tensor) -> Tensor:
        """See Method; the model has to be in evaluation mode."""
        (found,) = self.network([image])
        return torch.stack([one.float() for one in pasted(found, self.function.mask_threshold)])

    def labels(self, label_map: Tensor, height: int, width: int) -> Labels:
        slots, scores = label_map
        return Labels(slots.long(), scores)

    def memory_remedy(self, rays: int, views: int) -> str:
        return "a smaller --min_size"

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"network": list(self.parameters())}
