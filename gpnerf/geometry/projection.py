"""Projects points into source views and samples their maps there: Pi_i and F_i(Pi_i(x)) of Eqs. 4 and 5."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gpnerf.geometry.cameras import Camera

SMALLEST_NORM = 1e-6
# Pixels by which a point on the border of an image may lie outside it in float32.
ROUNDING = 1e-3
# Points this close to the plane of a camera's centre have no pixel; they are put at the other depth.
FLAT, INSTEAD = 1e-4, 1e-3
# Least share that unmasked pixels must have in a bilinear sample: all of it, up to rounding.
ALL_COUNT = 1.0 - 1e-3


def visible(pixels: Tensor, depths: Tensor, height: int, width: int) -> Tensor:
    """Whether points project inside an image, borders included, and lie in front of its camera.

    pixels [..., 2] as (column, row), depths [...] -> bool [...]. Rays through the border of a target that is
    a source too end on the border of that source, whatever the rounding.
    """
    last = pixels.new_tensor([width - 1, height - 1])
    return ((pixels >= -ROUNDING) & (pixels <= last + ROUNDING)).all(dim=-1) & (depths > 0)


def direction_difference(points: Tensor, origins: Tensor, source_centers: Tensor) -> Tensor:
    """Difference of the directions from a point to the target camera and to each source camera.

    points [R, S, 3], origins of the rays [R, 3], source_centers [V, 3] -> [V, R, S, 4]: the normalised
    difference of the two unit directions, and their cosine.
    """
    to_target = _unit(origins[:, None] - points)
    to_source = _unit(source_centers[:, None, None] - points)
    difference = to_target - to_source
    length = difference.norm(dim=-1, keepdim=True).clamp(min=SMALLEST_NORM)
    cosine = (to_target * to_source).sum(dim=-1, keepdim=True)
    return torch.cat([difference / length, cosine], dim=-1)


def _unit(vectors: Tensor) -> Tensor:
    return vectors / (vectors.norm(dim=-1, keepdim=True) + SMALLEST_NORM)


def project(points: Tensor, cameras: Camera) -> tuple[Tensor, Tensor]:
    """Points [R, S, 3] -> pixels [V, R, S, 2] in the V source images, and their visibility [V, R, S]."""
    pixels, depths = cameras.project(points)
    return pixels, visible(pixels, depths, cameras.height, cameras.width)


def pixels_either_side(points: Tensor, cameras: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Points [..., 3] -> pixels [V, ..., 2] in V images, z-depths [V, ...], and which have no pixel, bool.

    As NeuRay and MVSNeRF are released, a point behind a camera has the pixel of its mirrored projection.
    """
    image = cameras.homogeneous(points)
    flat = image[..., 2].abs() < FLAT
    depths = torch.where(flat, INSTEAD, image[..., 2])
    return image[..., :2] / depths[..., None], depths, flat


def unmasked(masks: Tensor, pixels: Tensor) -> Tensor:
    """Whether bilinear samples use unmasked pixels only.

    masks bool [V, H, W], false where masked; pixels [V, R, S, 2] -> bool [V, R, S].
    """
    height, width = masks.shape[1:]
    share = interpolate(masks[..., None].float(), pixels, height, width)[..., 0]
    return share > ALL_COUNT


def read(maps: Tensor, positions: Tensor) -> Tensor:
    """Bilinear samples [V, ..., C] of V maps [V, h, w, C] at positions [V, ..., 2] in pixels of the maps.

    Outside, a map goes on as at its border.
    """
    rows, columns = maps.shape[1:3]
    last = positions.new_tensor([columns - 1, rows - 1])
    return interpolate(maps, positions.clamp(min=0.0).minimum(last), rows, columns)


class Corners(NamedTuple):
    """The four cells of a map around a sample: flat indices [V, ..., 4] and bilinear weights, 0 outside."""

    indices: Tensor
    weights: Tensor


def interpolate(maps: Tensor, pixels: Tensor, height: int, width: int) -> Tensor:
    """Bilinear samples of V maps at image pixels: F_i(Pi_i(x)).

    maps [V, h, w, C] (channels last, so that a corner is one contiguous read); pixels [V, ..., 2] of images
    height x width. The corner pixels of image and map coincide whatever the map's resolution, as published.
    The map is padded with zeros. Returns [V, ..., C].
    """
    return blend(maps, corners(pixels, height, width, *maps.shape[1:3]))


def corners(pixels: Tensor, height: int, width: int, rows: int, columns: int) -> Corners:
    """Cells and weights that sample maps of rows x columns at pixels [V, ..., 2] of images height x width."""
    left, left_weight, right, right_weight = _neighbors(
        pixels[..., 0] * ((columns - 1) / (width - 1)), columns
    )
    top, top_weight, bottom, bottom_weight = _neighbors(pixels[..., 1] * ((rows - 1) / (height - 1)), rows)
    top, bottom = top * columns, bottom * columns
    indices = torch.stack([top + left, top + right, bottom + left, bottom + right], dim=-1)
    weights = torch.stack(
        [
            top_weight * left_weight,
            top_weight * right_weight,
            bottom_weight * left_weight,
            bottom_weight * right_weight,
        ],
        dim=-1,
    )
    return Corners(indices, weights)


def blend(maps: Tensor, around: Corners) -> Tensor:
    """Samples [V, ..., C] of maps [V, h, w, C] from the corners around them.

    torch.compile fuses plain indexing with the operations that follow. Without it, and where the maps need a
    gradient, embedding_bag sums the rows without storing them.
    """
    views, rows, columns, channels = maps.shape
    first_row = torch.arange(views, device=maps.device, dtype=torch.int32) * (rows * columns)
    indices = (around.indices.flatten(start_dim=1) + first_row[:, None]).reshape(-1, 4)
    table, weights = maps.reshape(-1, channels), around.weights.reshape(-1, 4)
    if torch.compiler.is_compiling() and not maps.requires_grad:
        terms = zip(indices.unbind(dim=-1), weights[..., None].unbind(dim=-2), strict=True)
        samples = sum(table[cells] * weight for cells, weight in terms).to(maps.dtype)
    else:
        samples = F.embedding_bag(indices, table, per_sample_weights=weights.to(maps.dtype), mode="sum")
    return samples.reshape(*around.indices.shape[:-1], channels)


def _neighbors(positions: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cells before and after positions on an axis of `count` cells, and their linear weights, 0 outside."""
    # One cell beyond either end has no weight; further out would only overflow the index.
    positions = positions.clamp(-1.0, count)
    before = positions.floor()
    share = positions - before
    before_weight = (1.0 - share) * ((before >= 0) & (before < count))
    after_weight = share * ((before >= -1) & (before < count - 1))
    before = before.int()
    return before.clamp(0, count - 1), before_weight, (before + 1).clamp(0, count - 1), after_weight
