"""Varied examples: a training that meets other sizes, views and photographs than those on disk.

Scenes on disk have one size and perfect photographs. A model that is trained on them alone relies on that.
Each kind of variation draws from its own random numbers, so that it does not change the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.frame_reader import CroppedReader, FrameReader, KeptFrames
from gpnerf.datasets.pixels.box import WHOLE, Box
from gpnerf.datasets.scene import Scene
from gpnerf.geometry.canonical import FAR
from gpnerf.media.images import through_jpeg

KINDS = SIZE, SOURCES, SPACING, EXPOSURE, DAMAGE, RANGE, UNIT, COLOR = (
    "size",
    "sources",
    "spacing",
    "exposure",
    "damage",
    "range",
    "unit",
    "color",
)
# They give the tensors of each step another shape.
RESHAPING = (SIZE, SOURCES)
# Images of 96 pixels still show what furniture is.
SMALLEST_SIDE = 96
# Sides of drawn sizes are multiples of this.
MULTIPLE = 4
# Width by height: of photographs, videos and square pictures, lying and upright.
ASPECTS = (4 / 3, 3 / 2, 16 / 9, 1.0, 3 / 4, 2 / 3, 9 / 16)
# Share of the area of the largest box that is shown at least.
SMALLEST_SHARE = 0.6
FEWEST_SOURCES, MOST_SOURCES = 3, 10
WIDEST_SPACING = 3
# Largest factor on the distance of colours from gray, and largest exponent of a channel, or their inverses.
# All views of an example change alike, and then show colours that no room has.
SATURATION = 2.0
GAMMA = 1.5
# Standard deviations of the logarithms of gains, of whole photographs and of single channels.
EXPOSURE_SD, BALANCE_SD = 0.2, 0.06
# Share of the examples that vary in more than their size: a model for all photographs should be at its best
# on faultless ones.
VARIED = 0.5
# Probability of each kind of damage, for every source view of such an example.
DAMAGED = 0.5
BLUR_SIGMA = (0.3, 1.0)  # pixels
MOST_NOISE = 0.03
JPEG_QUALITY = (40, 95)
# Largest factors by which the depth range is widened at either end, and by which the canonical unit changes.
# Scenes of one data set lie alike in their ranges, which other scenes do not. The unit hides this from the
# network without moving the samples away from the surfaces, as a wide range does.
WIDEST_RANGE = 1.2
UNIT_FACTOR = 2.0


@dataclass(frozen=True)
class Variation:
    """Draws how example `step` of a training varies; it depends only on `seed` and `step`.

    kinds: of KINDS. longer_side: the longest side of a drawn size; shortest_side: the shortest side that the
    method can render; both in pixels.
    """

    kinds: Sequence[str]
    seed: int
    longer_side: int
    shortest_side: int = 1

    def reader(
        self, step: int, plain: FrameReader, whole: KeptFrames, scene: Scene, target: int
    ) -> FrameReader:
        """The reader of the frames of an example: `plain`, or one that crops the frames kept in `whole`."""
        random = self._random(SIZE, step)
        if random is None:
            return plain
        stored = scene.size(target)
        box, *size = draw_crop(random, *stored, self.longer_side, self.shortest_side)
        mask = whole.recall(scene, target, *stored, maps=True).mask
        # A box of nothing but masked pixels has nothing to train on.
        box = box if mask is None or box.cut(mask).any() else WHOLE
        return CroppedReader(box, *size, whole)

    def count(self, step: int, usual: int, available: int) -> int:
        """The number of source views."""
        random = self._random(SOURCES, step)
        if random is None:
            return usual
        fewest, most = min(FEWEST_SOURCES, available), min(MOST_SOURCES, available)
        return int(random.integers(fewest, most, endpoint=True))

    def candidates(self, step: int, frames: Sequence[int], count: int) -> Sequence[int]:
        """The frames among which `count` sources are chosen: all, or every second or third.

        At least twice as many as chosen remain, or else all, as the choice would otherwise be no choice.
        """
        random = self._random(SPACING, step)
        if random is None:
            return frames
        widest = min(WIDEST_SPACING, len(frames) // (2 * count))
        spacing = int(random.integers(1, max(1, widest), endpoint=True))
        return frames[int(random.integers(spacing)) :: spacing]

    def photographs(self, step: int, target: Tensor, sources: Tensor) -> tuple[Tensor, Tensor]:
        """The images of the target [3, H, W] and of its sources [V, 3, H, W], all in [0, 1]."""
        random = self._random(COLOR, step)
        if random is not None:
            recolor = draw_colors(random)
            target, sources = recolor(target), recolor(sources)
        random = self._random(EXPOSURE, step)
        if random is not None:
            target, sources = exposed(target, sources, draw_gains(random, len(sources)))
        random = self._random(DAMAGE, step)
        if random is not None:
            sources = torch.stack([damaged(random, one) for one in sources])
        return target, sources

    def depths(self, step: int, near: float, far: float) -> tuple[float, float, float | None]:
        """Near, far and the canonical unit, None for the usual one; all z-depths in metres."""
        unit = None
        random = self._random(UNIT, step)
        if random is not None:
            unit = far / FAR * UNIT_FACTOR ** random.uniform(-1.0, 1.0)
        random = self._random(RANGE, step)
        if random is not None:
            nearer, farther = WIDEST_RANGE ** random.random(2)
            near, far = float(near / nearer), float(far * farther)
        return near, far, unit

    def _random(self, kind: str, step: int) -> np.random.Generator | None:
        """The random numbers of a kind, None if it is off or spares this example."""
        if kind not in self.kinds or kind != SIZE and not self._varies(step):
            return None
        # A trailing 0 would be ignored: then the numbers would be those of other draws of this step.
        return np.random.default_rng((self.seed, step, 1 + KINDS.index(kind)))

    def _varies(self, step: int) -> bool:
        return np.random.default_rng((self.seed, step, 1 + len(KINDS))).random() < VARIED


def draw_crop(
    random: np.random.Generator, height: int, width: int, longer_side: int, shortest_side: int
) -> tuple[Box, int, int]:
    """Draws a box in frames of height x width pixels, and the height and width to which it is resized.

    Boxes are not enlarged, unless a side would be below `shortest_side`: real photographs are not either.
    """
    shape, share = float(random.choice(ASPECTS)), random.uniform(SMALLEST_SHARE, 1.0) ** 0.5
    longest = min(longer_side, share * max(_largest(height, width, shape)))
    smallest = min(SMALLEST_SIDE, longest)
    longer = smallest * (longest / smallest) ** random.random()
    size = [_side(longer * min(1.0, one), shortest_side) for one in (1 / shape, shape)]
    # The box has the shape of the rounded size, so that pixels stay square.
    tall, wide = (share * side for side in _largest(height, width, size[1] / size[0]))
    top, left = random.uniform(0.0, height - tall), random.uniform(0.0, width - wide)
    return Box(top / height, left / width, tall / height, wide / width), *size


def _largest(height: int, width: int, shape: float) -> tuple[float, float]:
    """Sides of the largest box of a shape, its width by its height, in height x width pixels."""
    return min(height, width / shape), min(width, height * shape)


def _side(pixels: float, shortest: int) -> int:
    return max(round(pixels / MULTIPLE), -(-shortest // MULTIPLE), 1) * MULTIPLE


def draw_colors(random: np.random.Generator) -> Callable[[Tensor], Tensor]:
    """Draws a change of colours for images [..., 3, H, W] in [0, 1]."""
    order = torch.from_numpy(random.permutation(3))
    exponents = torch.from_numpy(GAMMA ** random.uniform(-1.0, 1.0, (3, 1, 1))).float()
    saturation = SATURATION ** random.uniform(-1.0, 1.0)

    def recolor(images: Tensor) -> Tensor:
        curved = images.index_select(-3, order) ** exponents
        return torch.lerp(curved.mean(dim=-3, keepdim=True), curved, saturation).clamp(0.0, 1.0)

    return recolor


def draw_gains(random: np.random.Generator, views: int) -> Tensor:
    """Draws the logarithms of the gains of V photographs by channel: [V, 3]."""
    gains = random.normal(0.0, EXPOSURE_SD, (views, 1)) + random.normal(0.0, BALANCE_SD, (views, 3))
    return torch.from_numpy(gains).float()


def exposed(target: Tensor, sources: Tensor, gains: Tensor) -> tuple[Tensor, Tensor]:
    """Exposes sources [V, 3, H, W] by the logarithms of their gains [V, 3], clipped as by a camera.

    The target gets their mean, so that its sources tell how bright it is.
    """
    factors = gains.exp()[..., None, None]
    mean = gains.mean(dim=0).exp()[:, None, None]
    return (target * mean).clamp(max=1.0), (sources * factors).clamp(max=1.0)


def damaged(random: np.random.Generator, image: Tensor) -> Tensor:
    """Blurs an image [3, H, W] in [0, 1], adds noise and compresses it, each by chance."""
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    for damage in (_blurred, _noisy, _compressed):
        if random.random() < DAMAGED:
            pixels = damage(random, pixels)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _blurred(random: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(pixels, (0, 0), random.uniform(*BLUR_SIGMA))


def _noisy(random: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    noise = random.uniform(0.0, MOST_NOISE) * random.standard_normal(pixels.shape, np.float32)
    return np.clip(pixels + noise, 0.0, 1.0, dtype=np.float32)


def _compressed(random: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    quality = int(random.integers(*JPEG_QUALITY, endpoint=True))
    stored = (pixels * 255.0).round().astype(np.uint8)
    return through_jpeg(stored, quality).astype(np.float32) / 255.0
