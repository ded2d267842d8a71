"""SemanticFPN (Kirillov et al., Panoptic Feature Pyramid Networks, CVPR 2019): classes of a photograph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gpnerf.datasets.examples import Example
from gpnerf.methods.method import Labels, StepLosses
from gpnerf.methods.segmenter import Segmenter
from gpnerf.methods.semantic_fpn.settings import Function, Recipe, Sizes
from gpnerf.metrics.semantic import semantic_loss
from gpnerf.networks.extractor import SMALLEST_IMAGE, Encoder, SemanticPyramid
from gpnerf.networks.semantic_fpn import SemanticFPNHead


class SemanticFPN(Segmenter):
    """The extractor of GP-NeRF without its colour decoder, and the head of the released code.

    The label map holds the pyramid's features, to which `labels` applies the head.
    """

    Sizes, Function, Recipe = Sizes, Function, Recipe
    smallest_image = SMALLEST_IMAGE

    def __init__(self, sizes: Sizes, function: Function, recipe: Recipe) -> None:
        super().__init__(sizes, function, recipe)
        stem = sizes.encoder_width
        widths = (stem, stem, 2 * stem, 4 * stem)
        self.encoder = Encoder(widths, sizes.encoder_blocks)
        self.pyramid = SemanticPyramid(widths, sizes.level_width)
        self.head = SemanticFPNHead(sizes.level_width, sizes.classes)

    def target_map(self, image: Tensor) -> Tensor:
        return self.pyramid(self.encoder(image[None]))[0]

    def segment(self, features: Tensor, height: int, width: int) -> Tensor:
        """A feature map [D, h, w] -> logits [K + 1, height, width], the last of which means "unlabelled"."""
        return self.head(features[None], height, width)[0].float()

    def labels(self, label_map: Tensor, height: int, width: int) -> Labels:
        return super().labels(self.segment(label_map, height, width), height, width)

    def losses(self, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
        image, labels = example.target.image, example.target.semantic
        return StepLosses(
            {"semantic": semantic_loss(self.segment(self.target_map(image), *labels.shape), labels)}
        )

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"network": list(self.parameters())}
