"""NeuRay and its descendants: methods that know where the rays of source views end."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from gpnerf.datasets.examples import Example
from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import INVERSE, Guide, cell_depths, coarse_depths, uniform_numbers
from gpnerf.methods.method import Method, RayPass, StepLosses
from gpnerf.methods.neuray_family.objective import step_losses
from gpnerf.methods.neuray_family.settings import Function, Recipe, Sizes
from gpnerf.networks.extractor import SMALLEST_IMAGE
from gpnerf.networks.neuray.aggregation import Widths
from gpnerf.networks.neuray.field import EncoderSizes, Field, SourceEncoder
from gpnerf.networks.neuray.label_branches import NONE
from gpnerf.networks.neuray.source_samples import SourceMaps, sample_sources
from gpnerf.system.errors import ConfigError

# Source views that see a sample which counts for the losses.
SEEN_BY = 3


class NeuRayFamily(Method):
    """Renders a coarse pass and, with networks of its own, a fine one; the label map holds logits.

    With K classes there are K + 1 logits; the last one stands for none of them. label_branch: how they are
    rendered, of BRANCHES. visibility: source rays may end nowhere.
    """

    Sizes, Function, Recipe = Sizes, Function, Recipe
    source_views = 8
    fewest_source_views = SEEN_BY
    separable = False
    smallest_image = SMALLEST_IMAGE
    depth_remedy = "train with --depth_init no"
    # As published: a coarse pass on every pixel.
    defaults = {"guide": 1}
    guided = True
    label_branch: ClassVar[str]
    visibility: ClassVar[bool]

    def __init__(self, sizes: Sizes, function: Function, recipe: Recipe) -> None:
        super().__init__(sizes, function, recipe)
        if recipe.seen_samples >= function.samples:
            raise ConfigError(
                f"Expected --seen_samples below --samples, or no ray counts, found {recipe.seen_samples} and "
                f"{function.samples}; lower it."
            )
        self.encoder = SourceEncoder(
            EncoderSizes(
                sizes.encoder_width,
                sizes.encoder_blocks,
                sizes.image_features,
                sizes.ray_features,
                sizes.depth_width,
                sizes.depth_blocks if sizes.depth_init else None,
            )
        )
        self.coarse, self.fine = self._field(), self._field()

    def _field(self) -> Field:
        sizes = self.sizes
        widths = Widths(sizes.image_features, sizes.ray_features, sizes.aggregation_width, sizes.heads)
        branch = self.label_branch if self.has_classes else NONE
        return Field(widths, self.visibility, branch, sizes.classes + 1)

    @property
    def needs_depth(self) -> bool:
        return self.sizes.depth_init

    def prepare(self, sources: SourceViews, near: float, far: float) -> SourceMaps:
        # Differences of poses alone count, which are exact near the origin.
        cameras = sources.cameras.around(sources.cameras.camera_to_world[0, :3, 3])
        maps = self.encoder(sources.images, sources.depths, cameras, near, far)
        return SourceMaps(sources.images.permute(0, 2, 3, 1).contiguous(), *maps, sources.masks)

    def render_rays(
        self,
        prepared: SourceMaps,
        cameras: Camera,
        rays: Rays,
        semantics: bool,
        generator: torch.Generator | None = None,
        guide: Guide | None = None,
    ) -> list[RayPass]:
        return self.passes(prepared, cameras, rays, (False, semantics), generator, guide)

    def coarse_pass(
        self, prepared: SourceMaps, cameras: Camera, rays: Rays, generator: torch.Generator | None = None
    ) -> RayPass:
        return self._coarse_pass(prepared, *rays.around_target(cameras), semantics=False)

    def passes(
        self,
        prepared: SourceMaps,
        cameras: Camera,
        rays: Rays,
        semantics: tuple[bool, bool],
        generator: torch.Generator | None = None,
        guide: Guide | None = None,
    ) -> list[RayPass]:
        """Renders the coarse pass, if there is no guide, and the fine pass; semantics: which have logits."""
        cameras, rays = rays.around_target(cameras)
        coarse = [] if guide else [self._coarse_pass(prepared, cameras, rays, semantics[0])]
        guide = guide or Guide(coarse[0].depths, coarse[0].weights)
        samples = self.function.fine_samples
        uniforms = uniform_numbers(len(rays), samples, generator, rays.origins.device)
        depths = cell_depths(guide, samples, INVERSE, uniforms)
        return [*coarse, self._render(self.fine, prepared, cameras, rays, depths, semantics[1])]

    def _coarse_pass(self, prepared: SourceMaps, cameras: Camera, rays: Rays, semantics: bool) -> RayPass:
        count, device = len(rays), rays.origins.device
        depths = coarse_depths(rays.near, rays.far, count, self.function.samples, INVERSE).to(device)
        return self._render(self.coarse, prepared, cameras, rays, depths, semantics)

    def _render(
        self,
        field: Field,
        prepared: SourceMaps,
        cameras: Camera,
        rays: Rays,
        depths: Tensor,
        semantics: bool,
    ) -> RayPass:
        """Renders one pass at rising depths [R, S]."""
        views = sample_sources(prepared, cameras, rays, depths)
        found = field(views, depths, rays.near, rays.far, semantics)
        often = views.seen.sum(dim=0) >= SEEN_BY
        return RayPass(
            color=found.colors,
            depth=(found.weights * depths).sum(dim=-1),
            depths=depths,
            weights=found.weights,
            semantic=found.logits,
            valid=often.sum(dim=-1) > self.recipe.seen_samples,
        )

    def losses(self, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
        return step_losses(self, example, rays, generator)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"network": list(self.parameters())}

    def bytes_per_ray(self, views: int) -> int:
        """See Method. The largest tensor is the input of the views' networks, [V, R, S, 3 C or so]."""
        samples = max(self.function.samples, self.function.fine_samples)
        sizes = self.sizes
        channels = max(2 * sizes.aggregation_width, sizes.image_features + sizes.aggregation_width)
        return views * samples * channels * torch.float32.itemsize
