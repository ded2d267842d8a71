"""GP-NeRF as a whole (Fig. 2): source views -> two fields -> a rendered ray -> a segmented image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gpnerf.datasets.labels import IGNORE
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.projection import Corners, corners, direction_difference, interpolate, project, unmasked
from gpnerf.geometry.sampling import coarse_depths, fine_depths
from gpnerf.methods.gpnerf.extractor import Extractor
from gpnerf.methods.gpnerf.semantic_field import Adaptor, group_channels, render_semantics, weigh_view
from gpnerf.methods.gpnerf.transformer import JointTransformer

# What the distillation losses must not train. full: the extractor, as the paper says. features: the extractor
# through semantic features; it still learns through the attention, which sees colour features, as in the
# released code. none: Table 4, ID 3.
GRADIENT_BLOCKS = ("full", "features", "none")

# Of the largest tensor of the rays that are rendered again at a time: what a CPU's caches hold; on a GPU,
# what leaves room for the hundred such tensors that their gradient needs.
RECOMPUTED_BYTES = {"cpu": 10 * 2**20, "cuda": 128 * 2**20}


@dataclass(frozen=True)
class SourceFeatures:
    """What is computed once per set of V source views; all maps are channels last.

    images [V, H, W, 3]; colors [V, h, w, F]; semantics [V, h, w, D] or None, laid out by group_channels;
    masks bool [V, H, W], pixels that may be looked up, None for all.
    """

    cameras: Camera
    images: Tensor
    colors: Tensor
    semantics: Tensor | None
    masks: Tensor | None = None


@dataclass(frozen=True)
class RenderedRays:
    """R rays after one pass over S samples: color [R, 3]; depth [R], z in metres; rising depths [R, S] of the
    samples; the weights [R, S] by which finer ones are added; and where asked for, semantic [R, D] (S_sem of
    Eq. 7) and point_semantics [R, S, D] (F_sem of Eq. 5)."""

    color: Tensor
    depth: Tensor
    depths: Tensor
    weights: Tensor
    semantic: Tensor | None = None
    point_semantics: Tensor | None = None

    @staticmethod
    def concatenate(parts: Sequence[RenderedRays]) -> RenderedRays:
        """The rays of all parts, which have the same fields."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return RenderedRays(*(None if column[0] is None else torch.cat(column) for column in columns))


class GPNeRF(nn.Module):
    """Renders colour, depth and semantic features of rays, and segments feature images.

    `adaptor` and `head` are None in a model without classes; it then renders colour and depth only.
    """

    def __init__(
        self,
        extractor: Extractor,
        transformer: JointTransformer,
        adaptor: Adaptor | None,
        head: nn.Module | None,
        classes: int,
        samples: int,
        fine_samples: int,
        spacing: str,
        gradient_block: str = "full",
        recompute: bool = False,
    ):
        """classes: K; samples, fine_samples: per ray in the first pass, and added where its weights are
        large; gradient_block: what distillation (Sec. 4.3) must not train, one of GRADIENT_BLOCKS; recompute:
        for the gradient, rays are rendered again, some at a time, instead of keeping all that they took,
        where these are not all there are."""
        super().__init__()
        self.extractor, self.transformer = extractor, transformer
        self.adaptor, self.head, self.classes = adaptor, head, classes
        self.samples, self.fine_samples, self.spacing = samples, fine_samples, spacing
        self.gradient_block, self.recompute = gradient_block, recompute
        # As attributes, so that compilation.py can compile them.
        self.corners, self.weigh_view = corners, weigh_view

    @property
    def device(self) -> torch.device:
        return self.transformer.norm.weight.device

    @property
    def has_semantics(self) -> bool:
        return self.head is not None

    def encode(
        self,
        source_images: Tensor,
        cameras: Camera,
        target_image: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> tuple[SourceFeatures, Tensor | None]:
        """source_images [V, 3, H, W] in [0, 1], their cameras, and in training the target [3, H, W].

        masks: bool [V, H, W], the pixels of the sources that may be looked up, None for all.
        Returns the source features and S_novel [D, H/2, W/2], the semantic features of the target image.
        """
        views = len(source_images)
        images = source_images if target_image is None else torch.cat([source_images, target_image[None]])
        levels = self.extractor.encoder(images)
        source_levels = [level[:views] for level in levels]
        colors = self.extractor.colors(source_levels)
        semantics = None
        if self.has_semantics:
            semantics = self.extractor.semantics(source_levels, blocked=self.gradient_block != "none")
            semantics = group_channels(semantics.permute(0, 2, 3, 1), self.transformer.width).flatten(3)
        teacher = None
        if self.has_semantics and target_image is not None:
            teacher = self.extractor.semantics([level[views:] for level in levels], blocked=False)[0]
        sources = SourceFeatures(
            cameras,
            source_images.permute(0, 2, 3, 1).contiguous(),
            colors.permute(0, 2, 3, 1).contiguous(),
            semantics,
            masks,
        )
        return sources, teacher

    def render_rays(
        self,
        sources: SourceFeatures,
        origins: Tensor,
        directions: Tensor,
        near: float,
        far: float,
        semantics: bool,
        point_semantics: bool = False,
        generator: torch.Generator | None = None,
    ) -> list[RenderedRays]:
        """Coarse and, if there are fine samples, fine pass over rays, origins and directions [R, 3].

        Semantics are rendered in the last pass only. generator: random depths for training.
        """
        rays, device = len(origins), origins.device
        jitter = _uniforms(rays, self.samples, generator, device)
        depths = coarse_depths(near, far, rays, self.samples, self.spacing, jitter).to(device)
        uniforms = _uniforms(rays, self.fine_samples, generator, device)

        def passes(chosen: slice) -> list[RenderedRays]:
            some = origins[chosen], directions[chosen], depths[chosen]
            drawn = None if uniforms is None else uniforms[chosen]
            return self._passes(sources, *some, drawn, semantics, point_semantics)

        size = self.recomputed_rays(len(sources.images))
        if rays <= size or not (self.recompute and torch.is_grad_enabled()):
            return passes(slice(None))
        chunks = [
            checkpoint(passes, slice(start, start + size), use_reentrant=False)
            for start in range(0, rays, size)
        ]
        return [RenderedRays.concatenate(parts) for parts in zip(*chunks, strict=True)]

    def recomputed_rays(self, views: int) -> int:
        """How many rays are rendered again at a time; of no more than these, recompute changes nothing."""
        size = RECOMPUTED_BYTES.get(self.device.type, RECOMPUTED_BYTES["cpu"])
        return max(1, size // self.bytes_per_ray(views))

    def bytes_per_ray(self, views: int) -> int:
        """Of the largest tensor of a layer, [V, R, S, C]."""
        samples = self.samples + self.fine_samples
        return views * samples * self.transformer.width * torch.float32.itemsize

    def _passes(
        self,
        sources: SourceFeatures,
        origins: Tensor,
        directions: Tensor,
        depths: Tensor,
        uniforms: Tensor | None,
        semantics: bool,
        point_semantics: bool,
    ) -> list[RenderedRays]:
        """Coarse pass at `depths` [R, S] and, if there are fine samples, the fine one at these and those."""
        if self.fine_samples == 0:
            return [self._render(sources, origins, directions, depths, semantics, point_semantics)]
        coarse = self._render(sources, origins, directions, depths, False, False)
        more = fine_depths(depths, coarse.weights, self.fine_samples, self.spacing, uniforms)
        depths = torch.cat([depths, more], dim=-1).sort(dim=-1).values
        return [coarse, self._render(sources, origins, directions, depths, semantics, point_semantics)]

    def segment(self, features: Tensor, height: int, width: int) -> Tensor:
        """A feature image [D, h, w] -> logits [K, height, width]."""
        return self.head(features[None], height, width)[0].float()

    def labels(self, features: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """A feature image [D, h, w] -> the most likely classes [height, width] and their probabilities.

        IGNORE where the published head chooses its output for "unlabelled", the one after the last class.
        """
        confidence, labels = self.segment(features, height, width).softmax(dim=0).max(dim=0)
        return torch.where(labels < self.classes, labels, IGNORE), confidence

    def _render(
        self,
        sources: SourceFeatures,
        origins: Tensor,
        directions: Tensor,
        depths: Tensor,
        semantics: bool,
        point_semantics: bool,
    ) -> RenderedRays:
        """One pass over rising depths [R, S]: project, sample, transform, then depth and semantics."""
        points = origins[:, None] + depths[..., None] * directions[:, None]
        pixels, seen = project(points, sources.cameras)
        if sources.masks is not None:
            seen = seen & unmasked(sources.masks, pixels)
        difference = direction_difference(points, origins, sources.cameras.center)
        found = self.transformer(
            self.sample_views(sources, pixels),
            difference,
            seen,
            points,
            directions,
            semantics,
            point_semantics,
        )
        depth = (found.depth_weights * depths).sum(dim=-1)
        rendered = found.color.float(), depth, depths, found.ray_weights.float()
        if not semantics:
            return RenderedRays(*rendered)
        size = sources.cameras.height, sources.cameras.width
        around = self.corners(pixels, *size, *sources.semantics.shape[1:3])

        def weigh_one(view: int) -> tuple[Tensor, Tensor | None]:
            field_weights = None if found.field_weights is None else found.field_weights[view]
            near = Corners(around.indices[view], around.weights[view])
            return self.weigh_view(sources.semantics[view], near, found.joint_weights[view], field_weights)

        semantic, by_point = render_semantics(weigh_one, len(pixels))
        by_point = None if by_point is None else by_point.float()
        return RenderedRays(*rendered, self.adaptor(semantic).float(), by_point)

    def sample_views(self, sources: SourceFeatures, pixels: Tensor) -> Tensor:
        """Colours and their features at the pixels [V, R, S, 2] of the source images: [V, R, S, 3+F]."""
        size = sources.cameras.height, sources.cameras.width
        maps = (sources.images, sources.colors)
        return torch.cat([interpolate(one, pixels, *size) for one in maps], dim=-1)


def _uniforms(
    rays: int, samples: int, generator: torch.Generator | None, device: torch.device
) -> Tensor | None:
    """Uniform numbers [rays, samples] drawn on the generator's device, so that any device sees the same."""
    if generator is None:
        return None
    return torch.rand(rays, samples, generator=generator, device=generator.device).to(device)


def fuse(teacher: Tensor, semantic: Tensor, pixels: Tensor) -> Tensor:
    """S_fused (Fig. 3a): the teacher map [D, h, w] with the rendered features [R, D] at their pixels' cells.

    pixels [R, 2] (column, row); the cell of a pixel is (row // 2, column // 2). Of several rays in a cell the
    first one gives the value and gets the gradient.
    """
    rows, columns = pixels[:, 1] // 2, pixels[:, 0] // 2
    cells, order = (rows * teacher.shape[2] + columns).sort(stable=True)
    is_first = torch.ones_like(cells, dtype=torch.bool)
    is_first[1:] = cells[1:] != cells[:-1]
    chosen = order[is_first]
    fused = teacher.clone()
    fused[:, rows[chosen], columns[chosen]] = semantic[chosen].T.to(fused.dtype)
    return fused


def teacher_at(teacher: Tensor, pixels: Tensor) -> Tensor:
    """S_novel(r): the teacher map [D, h, w] at the cells of pixels [R, 2] -> [R, D]."""
    return teacher[:, pixels[:, 1] // 2, pixels[:, 0] // 2].T
