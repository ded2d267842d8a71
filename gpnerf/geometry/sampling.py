"""Chooses the pixels to train on, and the depths of the samples along a ray.

Depths are z in metres. `spacing` is "linear" (even in z) or "inverse" (even in 1/z, the published choice).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SPACINGS = INVERSE, LINEAR = ("inverse", "linear")
# Share of the samples of a guided pass that is spread over the whole range, for what the guide has missed.
SPREAD = 0.2
# The fine pass interpolates between inner coarse samples, so it needs at least this many coarse samples.
SMALLEST_COARSE = 3

# Added to every bin so that an empty ray still yields samples; bins emptier than this count as flat.
SMALLEST_BIN = 1e-5


class Guide(NamedTuple):
    """Where the surfaces along R rays may be: rising depths [R, S] and their weights [R, S]."""

    depths: Tensor
    weights: Tensor


def random_pixels(
    height: int, width: int, count: int, generator: torch.Generator, mask: Tensor | None = None
) -> Tensor:
    """Draws up to `count` different pixels (column, row) [count, 2], uniformly over the image.

    mask: bool [height, width], the pixels to choose from.
    """
    if mask is None:
        chosen = torch.randperm(height * width, generator=generator)[:count]
    else:
        choice = mask.flatten().nonzero()[:, 0].cpu()
        chosen = choice[torch.randperm(len(choice), generator=generator)[:count]]
    return torch.stack([chosen % width, chosen // width], dim=-1)


def pixels_around(
    pixels: Tensor, distance: int, height: int, width: int, generator: torch.Generator, mask: Tensor | None
) -> Tensor:
    """Draws a pixel near each of the given ones: columns and rows up to `distance` away [N, 2].

    mask: bool [height, width], the pixels to choose from; where the drawn one is none of them, the given one
    takes its place.
    """
    offsets = torch.randint(-distance, distance + 1, pixels.shape, generator=generator)
    last = torch.tensor([width - 1, height - 1])
    near = (pixels + offsets).clamp(min=torch.zeros_like(last), max=last)
    if mask is None:
        return near
    return torch.where(mask.cpu()[near[:, 1], near[:, 0], None], near, pixels)


def at_pixels(image: Tensor, pixels: Tensor) -> Tensor:
    """Values of [H, W] or [C, H, W] at pixels [R, 2] (column, row): [R] or [R, C]."""
    return image[..., pixels[:, 1], pixels[:, 0]].movedim(-1, 0)


def uniform_numbers(
    rays: int, samples: int, generator: torch.Generator | None, device: torch.device
) -> Tensor | None:
    """Uniform random numbers [rays, samples], drawn on the generator's device: equal for all devices.

    None without a generator.
    """
    if generator is None:
        return None
    return torch.rand(rays, samples, generator=generator, device=generator.device).to(device)


def coarse_depths(
    near: float, far: float, rays: int, samples: int, spacing: str, jitter: Tensor | None = None
) -> Tensor:
    """Depths [rays, samples] from near to far, both included (up to rounding).

    jitter: uniform numbers in [0, 1) [rays, samples]; each depth then moves inside the cell bounded by the
    mid-points to its neighbours (stratified sampling for training).
    """
    start, end = (1.0 / near, 1.0 / far) if spacing == INVERSE else (near, far)
    # The published order of operations: the positional encoding magnifies a difference in rounding 512 times.
    positions = start + (end - start) / max(1, samples - 1) * torch.arange(samples)
    depths = 1.0 / positions if spacing == INVERSE else positions
    if jitter is None:
        return depths.expand(rays, samples)
    depths = depths.to(jitter.device)
    middles = 0.5 * (depths[1:] + depths[:-1])
    lower = torch.cat([depths[:1], middles])
    upper = torch.cat([middles, depths[-1:]])
    return lower + (upper - lower) * jitter


def inverse_cdf(bins: Tensor, weights: Tensor, uniforms: Tensor) -> Tensor:
    """Samples [R, N] of the piecewise constant density `weights` [R, M-1] over the bin edges `bins` [R, M].

    uniforms: [R, N] in [0, 1], positions on the cumulative distribution.
    """
    weights = weights + SMALLEST_BIN
    cumulative = torch.cumsum(weights / weights.sum(dim=-1, keepdim=True), dim=-1)
    cumulative = torch.cat([torch.zeros_like(cumulative[:, :1]), cumulative], dim=-1)
    above = torch.searchsorted(cumulative[:, :-1].contiguous(), uniforms.contiguous(), right=True)
    below = above - 1
    start, end = cumulative.gather(1, below), cumulative.gather(1, above)
    share = end - start
    share = torch.where(share < SMALLEST_BIN, torch.ones_like(share), share)
    left, right = bins.gather(1, below), bins.gather(1, above)
    # The sum of the shares is 1 only up to rounding, of which an almost empty last bin would make much.
    return left + ((uniforms - start) / share).clamp(max=1.0) * (right - left)


def fine_depths(
    depths: Tensor, weights: Tensor, samples: int, spacing: str, uniforms: Tensor | None = None
) -> Tensor:
    """Draws N = `samples` more depths [R, N] where the weights [R, S] of the coarse depths [R, S] are large.

    They lie between the mid-point of the first two coarse depths and that of the last two. uniforms: [R, N]
    random positions for training; None gives the deterministic positions of a test. No gradient flows into
    the weights.
    """
    inverse = spacing == INVERSE
    positions = 1.0 / depths.flip(-1) if inverse else depths
    weights = weights.detach().flip(-1) if inverse else weights.detach()
    bins = 0.5 * (positions[:, 1:] + positions[:, :-1])
    if uniforms is None:
        uniforms = torch.linspace(0.0, 1.0, samples, device=depths.device).expand(len(depths), samples)
    drawn = inverse_cdf(bins, weights[:, 1:-1], uniforms)
    return 1.0 / drawn if inverse else drawn


def cell_depths(guide: Guide, samples: int, spacing: str, uniforms: Tensor | None = None) -> Tensor:
    """Rising depths [R, N] of N = `samples` samples drawn from the cells of a guide by their weights [R, S].

    A sample of the guide stands for the cell up to the mid-points to its neighbours, the outer ones from the
    first and to the last sample. uniforms: random numbers in [0, 1) [R, N] for training; None gives evenly
    spaced positions on the distribution. No gradient flows into the weights.
    """
    edges, weights = _cells(guide, spacing)
    if uniforms is None:
        places = (torch.arange(samples, device=weights.device) + 0.5) / samples
        places = places.expand(len(weights), samples)
    else:
        places = uniforms.sort(dim=-1).values
    return _depths(inverse_cdf(edges, weights, places), spacing)


def guided_depths(guide: Guide, samples: int, spacing: str, uniforms: Tensor | None = None) -> Tensor:
    """Rising depths [R, N] of N = `samples` samples where the guide's weights [R, S] are large.

    The cells are those of `cell_depths`. A share SPREAD of the samples lies evenly in the whole range.
    uniforms: [R, N] in [0, 1), where each sample lies in its N-th of the distribution; None puts it in the
    middle.
    """
    edges, weights = _cells(guide, spacing)
    lengths = edges[:, 1:] - edges[:, :-1]
    even = lengths / lengths.sum(dim=-1, keepdim=True)
    mixed = (1.0 - SPREAD) * weights / weights.sum(dim=-1, keepdim=True) + SPREAD * even
    shares = 0.5 if uniforms is None else uniforms
    places = (torch.arange(samples, device=mixed.device) + shares) / samples
    return _depths(inverse_cdf(edges, mixed, places.expand(len(mixed), samples)), spacing)


def _cells(guide: Guide, spacing: str) -> tuple[Tensor, Tensor]:
    """Rising edges [R, S+1] of the cells, in z or 1/z, and their weights [R, S], without gradient."""
    inverse = spacing == INVERSE
    positions = 1.0 / guide.depths.flip(-1) if inverse else guide.depths
    weights = guide.weights.detach().flip(-1) if inverse else guide.weights.detach()
    middles = 0.5 * (positions[:, 1:] + positions[:, :-1])
    return torch.cat([positions[:, :1], middles, positions[:, -1:]], dim=-1), weights


def _depths(positions: Tensor, spacing: str) -> Tensor:
    """Rising positions in z or 1/z -> rising depths."""
    return (1.0 / positions).flip(-1) if spacing == INVERSE else positions
