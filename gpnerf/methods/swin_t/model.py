"""A detector with the Swin transformer Swin-T (Liu et al., ICCV 2021) and the heads of Mask R-CNN."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.swin_transformer import SwinTransformer

from gpnerf.methods.detector.model import Detector
from gpnerf.methods.detector.network import PyramidBackbone
from gpnerf.methods.detector.settings import STAGES
from gpnerf.methods.swin_t.settings import Recipe, Sizes

# Side of the patches of the first stage, in pixels.
PATCH = 4


class SwinT(Detector):
    """The detector on a Swin transformer."""

    Sizes, Recipe = Sizes, Recipe
    published = "Swin-T (swin_t)"

    @property
    def paper_row(self) -> str:
        return "Swin-T"

    def backbone(self) -> PyramidBackbone:
        widths = [2**stage * self.sizes.trunk_width for stage in range(STAGES)]
        trunk = SwinTrunk(widths, self.sizes, self.recipe.layer_drop)
        return PyramidBackbone(trunk, widths, self.sizes.pyramid_width)


class SwinTrunk(nn.Module):
    """The stages of a Swin transformer, and a norm of the output of each, as in its published detectors."""

    def __init__(self, widths: list[int], sizes: Sizes, layer_drop: float) -> None:
        super().__init__()
        whole = SwinTransformer(
            patch_size=[PATCH, PATCH],
            embed_dim=sizes.trunk_width,
            depths=list(sizes.trunk_layers),
            num_heads=[width // sizes.head_width for width in widths],
            window_size=[sizes.window, sizes.window],
            stochastic_depth_prob=layer_drop,
        )
        # Torchvision's name, so that its weights fit; modules alternate between merging patches and a stage.
        self.features = whole.features
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """images [N, 3, H, W] -> maps [N, C, h, w] at strides 4, 8, 16, 32 by level "0" to "3"."""
        maps, found = {}, images
        for level, norm in enumerate(self.norms):
            merge, stage = self.features[2 * level], self.features[2 * level + 1]
            found = stage(merge(found))
            maps[str(level)] = norm(found).permute(0, 3, 1, 2)
        return maps
