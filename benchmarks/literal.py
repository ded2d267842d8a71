"""The published formulas as they are written, with our modules' weights: the reference for parity and speed.

As in the released model, products keep the order of the formulas, keys are C wide for every view, features
[R, S, V, D] go through every layer, and semantics are rendered in both passes and at every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.projection import direction_difference, project
from gpnerf.geometry.sampling import at_pixels, coarse_depths, fine_depths, random_pixels
from gpnerf.methods.gpnerf.field_transformer import FieldAggregationLayer
from gpnerf.methods.gpnerf.fused_map import fuse, teacher_at
from gpnerf.methods.gpnerf.losses import (
    depth_guided_loss,
    distill_loss,
    photometric_loss,
    samples_between,
)
from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.methods.gpnerf.ray_transformer import RayAggregationLayer
from gpnerf.methods.gpnerf.transformer import JointTransformer
from gpnerf.methods.method import RayPass
from gpnerf.metrics.semantic import semantic_loss
from gpnerf.networks.encoding import frequency_encoding


@dataclass(frozen=True)
class LiteralSources:
    """V source views, channels first: images [V, 3, H, W], colors [V, F, h, w], semantics [V, D, h, w]."""

    cameras: Camera
    images: Tensor
    colors: Tensor
    semantics: Tensor


def literal_sources(model: GPNeRF, images: Tensor, cameras: Camera) -> LiteralSources:
    levels = model.extractor.encoder(images)
    semantics = model.extractor.semantics(levels, blocked=model.recipe.gradient_block != "none")
    return LiteralSources(cameras, images, model.extractor.colors(levels), semantics)


def literal_samples(maps: Tensor, pixels: Tensor, height: int, width: int) -> Tensor:
    """Bilinear samples of maps [V, C, h, w] at pixels [R, S, V, 2] of images height x width: [R, S, V, C]."""
    grid = 2.0 * pixels / pixels.new_tensor([width - 1, height - 1]) - 1.0
    found = F.grid_sample(maps, grid.permute(2, 0, 1, 3), padding_mode="zeros", align_corners=True)
    return found.permute(2, 3, 0, 1)


def dropout(layer: FieldAggregationLayer | RayAggregationLayer, inputs: Tensor) -> Tensor:
    return F.dropout(inputs, layer.dropout.p, layer.training)


def literal_field_layer(
    layer: FieldAggregationLayer, query: Tensor, views: Tensor, difference: Tensor, unseen: Tensor
) -> tuple[Tensor, Tensor]:
    """Eq. 4: query [R, S, C], views [R, S, V, C], difference [R, S, V, 4], unseen bool [R, S, V, 1]."""
    key = layer.key(views)
    value = layer.value(key)
    position = layer.position(difference)
    logits = layer.weigh(key - layer.query(layer.norm(query))[..., None, :] + position)
    attention = dropout(layer, torch.softmax(logits.masked_fill(unseen, -1e9), dim=-2))
    query = query + dropout(layer, layer.out((attention * (value + position)).sum(dim=-2)))
    return layer.feed_forward(query), attention


def literal_ray_layer(layer: RayAggregationLayer, features: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. 6: features [R, S, C] -> new features [R, S, C] and the attention [R, heads, S, S]."""
    normed = layer.norm(features)
    query, key, value = (
        part(normed).unflatten(-1, (layer.heads, -1)).transpose(1, 2)
        for part in (layer.query, layer.key, layer.value)
    )
    attention = dropout(layer, torch.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5, dim=-1))
    gathered = (attention @ value).transpose(1, 2).flatten(start_dim=2)
    return layer.feed_forward(features + dropout(layer, layer.out(gathered))), attention


def literal_transformer(
    model: JointTransformer,
    view_features: Tensor,
    difference: Tensor,
    seen: Tensor,
    points: Tensor,
    directions: Tensor,
    semantics: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Eqs. 4 to 7; semantics [R, S, V, D] or None.

    Returns the colours [R, 3], the row of A_RAT that weights the samples [R, S], S_sem before its MLP [R, D]
    and F_sem [R, S, D].
    """
    views = model.embed(view_features)
    features = views.amax(dim=-2)
    samples = points.shape[1]
    encoded_points = frequency_encoding(points, model.frequencies)
    encoded_directions = frequency_encoding(F.normalize(directions, dim=-1), model.frequencies)
    encoded_directions = encoded_directions[:, None].expand(-1, samples, -1)
    rendered, by_point = None, None
    for number, (field, ray) in enumerate(zip(model.field_layers, model.ray_layers, strict=True)):
        features, view_weights = literal_field_layer(field, features, views, difference, ~seen[..., None])
        if str(number) in model.mixers:
            mixer = model.mixers[str(number)]
            joined = torch.cat([features, encoded_points, encoded_directions], dim=-1)
            features = mixer.out(F.relu(mixer.mix(joined)))
        features, attention = literal_ray_layer(ray, features)
        if semantics is not None:
            repeated = view_weights.repeat_interleave(semantics.shape[-1] // model.width, dim=-1)
            aggregated = (repeated * semantics).sum(dim=2)
            heads = aggregated.unflatten(-1, (model.heads, -1)).transpose(1, 2)
            along_ray = (attention @ heads).transpose(1, 2).flatten(start_dim=2)
            rendered = along_ray if rendered is None else rendered + along_ray
            by_point = aggregated if by_point is None else by_point + aggregated
    color = model.color(model.norm(features).mean(dim=1))
    rendered = None if rendered is None else rendered.mean(dim=1)
    return color, attention.mean(dim=1)[:, 0], rendered, by_point


def literal_pass(
    model: GPNeRF,
    sources: LiteralSources,
    origins: Tensor,
    directions: Tensor,
    depths: Tensor,
    semantics: bool,
) -> RayPass:
    """One pass. Its depth is the published one: samples weighted by the first row of the last attention."""
    height, width = sources.cameras.height, sources.cameras.width
    points = origins[:, None] + depths[..., None] * directions[:, None]
    # Published order of the dimensions: rays, samples, views.
    pixels, seen = (found.movedim(0, 2) for found in project(points, sources.cameras))
    difference = direction_difference(points, origins, sources.cameras.center).movedim(0, 2)
    sampled = [literal_samples(maps, pixels, height, width) for maps in (sources.images, sources.colors)]
    color, weights, rendered, by_point = literal_transformer(
        model.transformer,
        torch.cat(sampled, dim=-1),
        difference,
        seen,
        points,
        directions,
        literal_samples(sources.semantics, pixels, height, width) if semantics else None,
    )
    depth = (weights * depths).sum(dim=-1)
    rendered = model.adaptor(rendered) if semantics else None
    return RayPass(color, depth, depths, weights, rendered, by_point)


def literal_rays(
    model: GPNeRF,
    sources: LiteralSources,
    origins: Tensor,
    directions: Tensor,
    near: float,
    far: float,
    semantics: bool,
) -> list[RayPass]:
    """Coarse and fine pass, both with semantics if `semantics`."""
    function = model.function
    depths = coarse_depths(near, far, len(origins), function.samples, function.spacing).to(origins.device)
    coarse = literal_pass(model, sources, origins, directions, depths, semantics)
    finer = fine_depths(depths, coarse.weights, function.fine_samples, function.spacing)
    depths = torch.cat([depths, finer], dim=-1).sort(dim=-1).values
    return [coarse, literal_pass(model, sources, origins, directions, depths, semantics)]


def literal_frame(
    model: GPNeRF, sources: LiteralSources, camera: Camera, near: float, far: float, chunk_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours [H, W, 3], features [D, h, w] at every second row and column, and logits [K, H, W]."""
    pixels = pixel_grid(camera.height, camera.width).to(sources.images.device)
    chunks = [
        literal_rays(model, sources, *camera.rays(chunk), near, far, semantics=True)[-1]
        for chunk in pixels.split(chunk_size)
    ]
    color = torch.cat([chunk.color for chunk in chunks]).unflatten(0, (camera.height, camera.width))
    semantic = torch.cat([chunk.semantic for chunk in chunks]).unflatten(0, (camera.height, camera.width))
    features = semantic[::2, ::2].permute(2, 0, 1)
    return color, features, model.segment(features, camera.height, camera.width)


def literal_losses(
    model: GPNeRF, example: Example, num_rays: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Four losses of a target view that has all its maps, with the gradient block of the released code."""
    target, views = example.target, len(example.sources.images)
    levels = model.extractor.encoder(torch.cat([example.sources.images, target.image[None]]))
    colors = model.extractor.colors([level[:views] for level in levels])
    pyramid = model.extractor.semantics(levels, blocked=False)
    teacher = pyramid[views]
    sources = LiteralSources(
        example.sources.cameras, example.sources.images, colors, pyramid[:views].detach()
    )
    pixels = random_pixels(target.camera.height, target.camera.width, num_rays, generator)
    pixels = pixels.to(target.image.device)
    passes = literal_rays(model, sources, *target.camera.rays(pixels), example.near, example.far, True)
    truth, fine = at_pixels(target.image, pixels), passes[-1]
    logits = model.segment(fuse(teacher, fine.semantic, pixels), target.camera.height, target.camera.width)
    goal = teacher_at(teacher, pixels).detach()
    true_depth = at_pixels(target.depth, pixels)
    return {
        "photometric": sum(photometric_loss(one.color, truth) for one in passes),
        "semantic": semantic_loss(logits, target.semantic),
        "distill": distill_loss(fine.semantic, goal),
        "depth_guided": depth_guided_loss(
            fine.point_semantics, goal, samples_between(fine.depths, true_depth), true_depth > 0
        ),
    }
