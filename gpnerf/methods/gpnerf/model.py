"""The whole GP-NeRF (Fig. 2): source views -> two fields -> rendered rays -> a segmented image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gpnerf.datasets.examples import Example
from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.datasets.options import TARGETS
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.projection import Corners, corners, direction_difference, interpolate, project, unmasked
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import Guide, uniform_numbers
from gpnerf.methods.gpnerf import fused_map
from gpnerf.methods.gpnerf.heads import build_head
from gpnerf.methods.gpnerf.objective import DISTILLATION, step_losses
from gpnerf.methods.gpnerf.perception_head import RAYS
from gpnerf.methods.gpnerf.query_head import QueryHead, panoptic_labels
from gpnerf.methods.gpnerf.ray_samples import first_depths, in_coordinates, last_depths
from gpnerf.methods.gpnerf.semantic_field import Adaptor, group_channels, render_semantics, weigh_view
from gpnerf.methods.gpnerf.settings import (
    ADDABLE_SIZES,
    FINE,
    FIRST_ROW,
    LABEL_SIZES,
    QUERY_SIZES,
    Function,
    Recipe,
    Sizes,
)
from gpnerf.methods.gpnerf.source_features import SourceFeatures
from gpnerf.methods.gpnerf.transformer import JointTransformer, RayAttention
from gpnerf.methods.method import Labels, Method, RayPass, StepLosses
from gpnerf.networks.extractor import SMALLEST_IMAGE, Extractor

COLORS = 3
# With --recompute, size of the largest tensor of the rays rendered at a time: on a CPU it fits the caches; on
# a GPU it leaves room for the hundred tensors of this size that the gradient needs.
RECOMPUTED_BYTES = {"cpu": 10 * 2**20, "cuda": 128 * 2**20}


class GPNeRF(Method):
    """The paper's model: renders colour, depth and semantic features of rays, and segments feature maps.

    A model without classes has no semantic field, adaptor or head; it is then GNT. With --head rays it has
    no semantic field and no adaptor, and its head classifies rays; it is then GNT with a semantic head.
    """

    Sizes, Function, Recipe = Sizes, Function, Recipe
    targets = TARGETS
    smallest_image = SMALLEST_IMAGE
    label_sizes = LABEL_SIZES
    optional_sizes = QUERY_SIZES
    addable_sizes = ADDABLE_SIZES

    def __init__(self, sizes: Sizes, function: Function, recipe: Recipe) -> None:
        super().__init__(sizes, function, recipe)
        stem = sizes.encoder_width
        self.extractor = Extractor(
            widths=(stem, stem, 2 * stem, 4 * stem),
            blocks=sizes.encoder_blocks,
            color_features=sizes.color_features,
            level_width=sizes.level_width,
            detach_decoder=recipe.detach_decoder,
        )
        self.transformer = JointTransformer(
            input_width=COLORS + sizes.color_features,
            width=sizes.transformer_width,
            layers=sizes.layers,
            heads=sizes.heads,
            frequencies=sizes.frequencies,
            dropout=recipe.dropout,
            joint_attention=recipe.joint_attention,
        )
        self.adaptor: Adaptor | None = None
        self.head: nn.Module | None = None
        if self.has_field:
            self.adaptor = Adaptor(sizes.semantic_width)
        if self.has_classes:
            self.head = build_head(sizes)
        # Attributes, so that compilation can replace them (see compiled_parts).
        self.corners, self.weigh_view = corners, weigh_view

    @property
    def has_field(self) -> bool:
        """Whether there is a semantic field; without it, labels can only be rendered as colours are."""
        return self.has_classes and self.sizes.head != RAYS

    @property
    def map_stride(self) -> int:
        return fused_map.STRIDE if self.has_field else 1

    @property
    def sees_target(self) -> bool:
        return self.has_field

    def prepare(self, sources: SourceViews, near: float, far: float) -> SourceFeatures:
        return self.encode(sources)[0]

    def encode(
        self, sources: SourceViews, target_image: Tensor | None = None
    ) -> tuple[SourceFeatures, Tensor | None]:
        """Encodes the source views and, in training, the target image [3, H, W] in one batch.

        Returns the source features and the teacher S_novel [D, H/2, W/2], the semantic features of the target
        image; None without an image or without a semantic field.
        """
        views, images = len(sources.images), sources.images
        if target_image is not None:
            images = torch.cat([images, target_image[None]])
        levels = self.extractor.encoder(images)
        source_levels = [level[:views] for level in levels]
        colors = self.extractor.colors(source_levels)
        semantics, teacher = None, None
        if self.has_field:
            semantics = self.extractor.semantics(source_levels, blocked=self.recipe.gradient_block != "none")
            semantics = group_channels(semantics.permute(0, 2, 3, 1), self.transformer.width).flatten(3)
            if target_image is not None:
                teacher = self.extractor.semantics([level[views:] for level in levels], blocked=False)[0]
        features = SourceFeatures(
            sources.images.permute(0, 2, 3, 1).contiguous(),
            colors.permute(0, 2, 3, 1).contiguous(),
            semantics,
            sources.masks,
        )
        return features, teacher

    def join(self, parts: Sequence[SourceFeatures]) -> SourceFeatures:
        return SourceFeatures.join(parts)

    @property
    def guided(self) -> bool:
        return self.function.fine_samples > 0 and self.function.last_pass == FINE

    def render_rays(
        self,
        prepared: SourceFeatures,
        cameras: Camera,
        rays: Rays,
        semantics: bool,
        generator: torch.Generator | None = None,
        guide: Guide | None = None,
        point_semantics: bool = False,
    ) -> list[RayPass]:
        """Renders the coarse pass, unless there is a guide, and with fine samples the fine pass; see Method.

        The last pass has semantic [R, D], which is S_sem of Eq. 7, and point_semantics [R, S, D], which is
        F_sem of Eq. 5; without a semantic field, semantic [R, K] are logits.
        """
        cameras, rays, unit = in_coordinates(self.function, cameras, rays)
        depths = None if guide else first_depths(self.function, rays, generator)
        shares = uniform_numbers(len(rays), self.function.fine_samples, generator, rays.origins.device)
        wanted = semantics, point_semantics

        def passes(chosen: slice) -> list[RayPass]:
            own, coarse = rays[chosen], []
            if not self.function.fine_samples:
                return [self._render(prepared, cameras, own, depths[chosen], *wanted)]
            if guide:
                known = Guide(guide.depths[chosen] / unit, guide.weights[chosen])
            else:
                coarse = [self._render(prepared, cameras, own, depths[chosen])]
                known = Guide(coarse[0].depths, coarse[0].weights)
            fine = last_depths(self.function, known, None if shares is None else shares[chosen])
            return [*coarse, self._render(prepared, cameras, own, fine, *wanted)]

        return [one.scaled(unit) for one in self._in_parts(passes, len(rays), len(prepared.images))]

    def coarse_pass(
        self,
        prepared: SourceFeatures,
        cameras: Camera,
        rays: Rays,
        generator: torch.Generator | None = None,
    ) -> RayPass:
        cameras, rays, unit = in_coordinates(self.function, cameras, rays)
        depths = first_depths(self.function, rays, generator)

        def passes(chosen: slice) -> list[RayPass]:
            return [self._render(prepared, cameras, rays[chosen], depths[chosen])]

        return self._in_parts(passes, len(rays), len(prepared.images))[0].scaled(unit)

    def _in_parts(self, passes: Callable[[slice], list[RayPass]], count: int, views: int) -> list[RayPass]:
        """Renders all `count` rays; with --recompute, and where gradients are wanted, some at a time."""
        size = self.recomputed_rays(views)
        if count <= size or not (self.recipe.recompute and torch.is_grad_enabled()):
            return passes(slice(None))
        chunks = [
            checkpoint(passes, slice(start, start + size), use_reentrant=False)
            for start in range(0, count, size)
        ]
        return [RayPass.concatenate(parts) for parts in zip(*chunks, strict=True)]

    def _render(
        self,
        prepared: SourceFeatures,
        cameras: Camera,
        rays: Rays,
        depths: Tensor,
        semantics: bool = False,
        point_semantics: bool = False,
    ) -> RayPass:
        """Renders one pass at rising depths [R, S]."""
        points = rays.points(depths)
        pixels, seen = project(points, cameras)
        if prepared.masks is not None:
            seen = seen & unmasked(prepared.masks, pixels)
        difference = direction_difference(points, rays.origins, cameras.center)
        view_features = self.sample_views(prepared, cameras, pixels)
        wanted = semantics and self.has_field, point_semantics
        found = self.transformer(view_features, difference, seen, points, rays.directions, *wanted)
        depth = (found.depth_weights * depths).sum(dim=-1)
        guiding = found.ray_weights if self.function.ray_weights == FIRST_ROW else found.depth_weights
        rendered = found.color.float(), depth, depths, guiding.float()
        if not semantics:
            return RayPass(*rendered)
        if not self.has_field:
            return RayPass(*rendered, self.head(found.features).float())
        return RayPass(*rendered, *self._render_field(prepared, cameras, pixels, found))

    def _render_field(
        self, prepared: SourceFeatures, cameras: Camera, pixels: Tensor, found: RayAttention
    ) -> tuple[Tensor, Tensor | None]:
        """S_sem of the rays [R, D] and, if their weights are there, F_sem of the samples [R, S, D].

        pixels: [V, R, S, 2], of the samples in the source views.
        """
        around = self.corners(pixels, cameras.height, cameras.width, *prepared.semantics.shape[1:3])

        def weigh_one(view: int) -> tuple[Tensor, Tensor | None]:
            field_weights = None if found.field_weights is None else found.field_weights[view]
            near = Corners(around.indices[view], around.weights[view])
            return self.weigh_view(prepared.semantics[view], near, found.joint_weights[view], field_weights)

        semantic, by_point = render_semantics(weigh_one, len(pixels))
        return self.adaptor(semantic).float(), None if by_point is None else by_point.float()

    def sample_views(self, prepared: SourceFeatures, cameras: Camera, pixels: Tensor) -> Tensor:
        """Colours and colour features of the source images at pixels [V, R, S, 2]: [V, R, S, 3+F]."""
        maps = (prepared.images, prepared.colors)
        return torch.cat([interpolate(one, pixels, cameras.height, cameras.width) for one in maps], dim=-1)

    def segment(self, features: Tensor, height: int, width: int) -> Tensor:
        """A feature map [D, h, w] -> logits [K, height, width]."""
        return self.head(features[None], height, width)[0].float()

    def labels(self, label_map: Tensor, height: int, width: int) -> Labels:
        """A feature map [D, h, w] -> the most likely classes, or with queries the segments of the view.

        Without a semantic field, the map holds logits [K, height, width].
        """
        if isinstance(self.head, QueryHead):
            return panoptic_labels(self.head.find(label_map)[1][-1], height, width)
        logits = self.segment(label_map, height, width) if self.has_field else label_map
        return super().labels(logits, height, width)

    @property
    def paper_row(self) -> str:
        with_head = "GNT + Semantic Head" if self.has_classes else "GNT"
        return "GP-NeRF" if self.has_field else with_head

    @property
    def depth_losses(self) -> tuple[str, ...]:
        return ("depth", "depth_guided") if self.has_field else ("depth",)

    def target_map(self, image: Tensor) -> Tensor:
        return self.extractor.semantics(self.extractor.encoder(image[None]), blocked=False)[0]

    def losses(self, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
        return step_losses(self, example, rays, generator)

    def backward(self, losses: dict[str, Tensor], share: float = 1.0) -> Tensor:
        """Adds gradients as Method.backward does, under the gradient block (Sec. 4.3).

        The full block runs a separate backward pass for the distillation losses, which stops at the
        transformers. In a common pass, their gradient would reach the extractor through the colour features.
        """
        distilled = {one: losses[one] for one in DISTILLATION if one in losses and losses[one].requires_grad}
        if self.recipe.gradient_block != "full" or not distilled:
            return super().backward(losses, share)
        others = {name: loss for name, loss in losses.items() if name not in distilled}
        (share * self.total(others)).backward(retain_graph=True)
        students = [*self.transformer.parameters(), *self.adaptor.parameters()]
        (share * self.total(distilled)).backward(inputs=students)
        return self.total(losses).detach()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """See Method. The pyramid belongs to the extractor's group, the adaptor to the transformer's."""
        adaptor = self.adaptor.parameters() if self.has_field else ()
        groups = {
            "extractor": list(self.extractor.parameters()),
            "transformer": [*self.transformer.parameters(), *adaptor],
        }
        if isinstance(self.head, QueryHead):
            return {**groups, **self.head.parameter_groups()}
        return {**groups, "head": list(self.head.parameters())} if self.has_classes else groups

    def bytes_per_ray(self, views: int) -> int:
        """See Method. The largest tensor of a layer is [V, R, S, C]."""
        samples = self.function.samples + self.function.fine_samples
        return views * samples * self.sizes.transformer_width * torch.float32.itemsize

    def recomputed_rays(self, views: int) -> int:
        """The number of rays rendered at a time under --recompute; it has no effect on fewer rays."""
        size = RECOMPUTED_BYTES.get(self.device.type, RECOMPUTED_BYTES["cpu"])
        return max(1, size // self.bytes_per_ray(views))

    def memory_remedy(self, rays: int, views: int) -> str:
        helps = not self.recipe.recompute and rays > self.recomputed_rays(views)
        return "--recompute yes" if helps else ""

    def compiled_parts(self) -> dict[nn.Module, tuple[str, ...]]:
        return {self: ("sample_views", "corners", "weigh_view"), self.transformer: ("embed_views", "layer")}
