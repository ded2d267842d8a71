"""The network of the detectors: any trunk with four stages, a feature pyramid, and the heads of Mask R-CNN.

The parts are torchvision's, under its names, so that its published weights fit.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from gpnerf.methods.detector.instances import FIRST_CLASS
from gpnerf.methods.detector.settings import STAGES, Function, Recipe, Sizes

# As published: width divided by height of the first boxes, and cells of a box that is classified.
ASPECT_RATIOS = (0.5, 1.0, 2.0)
BOX_CELLS, BOX_SAMPLING = 7, 2


class PyramidBackbone(nn.Module):
    """A trunk and a feature pyramid. body: images -> maps by level "0" to "3"; widths: their channels."""

    def __init__(self, body: nn.Module, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.body, self.out_channels = body, width
        self.fpn = FeaturePyramidNetwork(list(widths), width, LastLevelMaxPool())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """images [N, 3, H, W] -> maps at strides 4, 8, 16, 32 and 64 by level."""
        return self.fpn(self.body(images))


def build_network(backbone: PyramidBackbone, sizes: Sizes, function: Function, recipe: Recipe) -> MaskRCNN:
    """The detector of K objects; thresholds that the settings do not have are torchvision's."""
    outputs, width = sizes.classes + FIRST_CLASS, backbone.out_channels
    pooling = MultiScaleRoIAlign([str(stage) for stage in range(STAGES)], BOX_CELLS, BOX_SAMPLING)
    anchors = AnchorGenerator(
        tuple((size,) for size in function.anchor_sizes), (ASPECT_RATIOS,) * len(function.anchor_sizes)
    )
    return MaskRCNN(
        backbone,
        min_size=function.min_size,
        max_size=function.max_size,
        rpn_anchor_generator=anchors,
        rpn_pre_nms_top_n_train=recipe.train_proposals,
        rpn_post_nms_top_n_train=recipe.train_proposals,
        rpn_pre_nms_top_n_test=function.proposals,
        rpn_post_nms_top_n_test=function.proposals,
        rpn_batch_size_per_image=recipe.anchor_samples,
        box_roi_pool=pooling,
        box_head=TwoMLPHead(width * BOX_CELLS**2, sizes.box_width),
        box_predictor=FastRCNNPredictor(sizes.box_width, outputs),
        box_score_thresh=function.score_threshold,
        box_detections_per_img=function.detections,
        box_batch_size_per_image=recipe.box_samples,
        mask_head=MaskRCNNHeads(width, (sizes.mask_width,) * sizes.mask_layers, dilation=1),
        mask_predictor=MaskRCNNPredictor(sizes.mask_width, sizes.mask_width, outputs),
    )
