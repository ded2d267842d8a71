"""Pictures of images, depths, labels and features: tensors or arrays in, uint8 RGB arrays [H, W, 3] out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Values = Tensor | np.ndarray

BACKGROUND = 255
INK = (40, 40, 40)
UNKNOWN_DEPTH = (56, 56, 56)

FONT = cv2.FONT_HERSHEY_DUPLEX
FONT_SCALE = 0.45
# Sizes in pixels.
CAPTION_HEIGHT = 24
LEGEND_ROW = 22
SWATCH = 14
GAP = 6
SMALLEST_TILE = 240


def colors(image: Values) -> np.ndarray:
    """An image [3, H, W], clipped to [0, 1] and rounded."""
    pixels = np.moveaxis(_array(image), 0, -1)
    return (np.clip(pixels, 0.0, 1.0) * 255.0).round().astype(np.uint8)


def without_masked(pixels: np.ndarray, mask: Values | None) -> np.ndarray:
    """Paints the pixels of a picture [H, W, 3] dark grey where the mask (bool [H, W]) is false."""
    return pixels if mask is None else np.where(_array(mask)[..., None], pixels, np.uint8(UNKNOWN_DEPTH))


def depth_range(depth: Values) -> tuple[float, float]:
    """The 1st and 99th percentile of the known depths of [H, W]; (1, 2) if there are none.

    Use them as limits of `depth_map` if the depth range of the scene is wider than that of the picture.
    """
    depth = _array(depth)
    known = depth[_known(depth)]
    if not known.size:
        return 1.0, 2.0
    near, far = np.percentile(known, (1.0, 99.0))
    return float(near), float(max(far, near * 1.01))


def depth_map(depth: Values, near: float, far: float) -> np.ndarray:
    """Colours z-depths [H, W] in metres by inverse depth: near red, far dark blue, unknown (0) dark grey."""
    depth = _array(depth)
    known = _known(depth)
    closeness = 1.0 / np.where(known, depth, far)
    share = (closeness - 1.0 / far) / (1.0 / near - 1.0 / far)
    pixels = _colormap(share, cv2.COLORMAP_TURBO)
    pixels[~known] = UNKNOWN_DEPTH
    return pixels


def label_map(labels: Values, palette: np.ndarray) -> np.ndarray:
    """Classes [H, W] in the colours of palette (uint8 [K, 3]); IGNORE and values of K or more are black."""
    labels = _array(labels, np.int64)
    inside = (labels >= 0) & (labels < len(palette))
    return np.where(inside[..., None], palette[np.where(inside, labels, 0)], 0).astype(np.uint8)


def error_map(prediction: Values, truth: Values, largest: float = 0.25) -> np.ndarray:
    """Mean absolute difference over the channels of two images [3, H, W]: black 0, yellow `largest`."""
    difference = np.abs(_array(prediction) - _array(truth)).mean(0)
    return _colormap(difference / largest, cv2.COLORMAP_INFERNO)


def share_map(shares: Values) -> np.ndarray:
    """Shares or probabilities [H, W] in [0, 1]: dark blue 0, yellow 1."""
    return _colormap(_array(shares), cv2.COLORMAP_VIRIDIS)


@dataclass(frozen=True)
class FeaturePCA:
    """Three principal components of a feature map as red, green and blue.

    Fitted once and then kept, so that one surface has one colour in all frames of a video and in the maps
    of teacher and student. mean [D], basis [D, 3], low and high [3]: the range of each component.
    """

    mean: Tensor
    basis: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def fit(features: Tensor, outliers: float = 0.02) -> FeaturePCA:
        """Fits features [D, h, w], D and h * w at least 3; clips the share `outliers` at either end.

        The same input always gives the same colours: the random seed is fixed, and the largest loading of
        each component is made positive.
        """
        flat = _flat(features)
        mean = flat.mean(0)
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(0)
            _, _, basis = torch.pca_lowrank(flat, q=min(8, *flat.shape))
        # Fewer than three channels have fewer components: the other colours then stay 0.
        basis = F.pad(basis[:, :3], (0, max(0, 3 - basis.shape[1])))
        basis = basis * basis.gather(0, basis.abs().argmax(0, keepdim=True)).sign()
        components = ((flat - mean) @ basis).numpy()
        low, high = np.percentile(components, (100.0 * outliers, 100.0 * (1.0 - outliers)), axis=0)
        return FeaturePCA(mean, basis, torch.from_numpy(low).float(), torch.from_numpy(high).float())

    def __call__(self, features: Tensor) -> np.ndarray:
        """Feature map [D, h, w] -> [h, w, 3]."""
        components = (_flat(features) - self.mean) @ self.basis
        share = (components - self.low) / (self.high - self.low).clamp(min=1e-12)
        return colors(share.T.reshape(3, *features.shape[1:]))


def legend(names: Sequence[str], palette: np.ndarray, width: int) -> np.ndarray:
    """A strip `width` wide with one coloured square and name per class, in as many rows as needed.

    palette: uint8 [len(names), 3]. Pass only the classes that the picture shows.
    """
    names = [_fitted(name, width - SWATCH - 3 * GAP) for name in names]
    cell = SWATCH + 3 * GAP + max((_text_width(name) for name in names), default=0)
    columns = max(1, min(width // cell, len(names)))
    rows = math.ceil(len(names) / columns)
    strip = _blank(rows * LEGEND_ROW + GAP, width)
    for index, (name, color) in enumerate(zip(names, palette, strict=True)):
        left = GAP + index % columns * (width // columns)
        top = GAP // 2 + index // columns * LEGEND_ROW + (LEGEND_ROW - SWATCH) // 2
        strip[top : top + SWATCH, left : left + SWATCH] = color
        _write(strip, name, left + SWATCH + GAP, top + SWATCH // 2)
    return strip


def grid(rows: Sequence[Sequence[np.ndarray]], captions: Sequence[Sequence[str]]) -> np.ndarray:
    """Rows of images [h, w, 3] as one sheet of equal tiles, each with its caption above.

    The largest image is enlarged by a whole factor until it is at least SMALLEST_TILE pixels wide. All others
    are scaled to fit its size; those of another aspect ratio are centred. Rows may differ in length.
    """
    images = [image for row in rows for image in row]
    factor = math.ceil(SMALLEST_TILE / max(image.shape[1] for image in images))
    height = factor * max(image.shape[0] for image in images)
    width = factor * max(image.shape[1] for image in images)
    columns = max(len(row) for row in rows)
    step = height + CAPTION_HEIGHT + GAP
    sheet = _blank(len(rows) * step, GAP + columns * (width + GAP))
    for i, (row, texts) in enumerate(zip(rows, captions, strict=True)):
        for j, (image, text) in enumerate(zip(row, texts, strict=True)):
            top, left = i * step + CAPTION_HEIGHT, GAP + j * (width + GAP)
            _write(sheet, _fitted(text, width), left, top - CAPTION_HEIGHT // 2)
            tile = _scaled(image, height, width)
            top += (height - tile.shape[0]) // 2
            left += (width - tile.shape[1]) // 2
            sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes an image to height x width: nearest pixels when enlarging, averages when shrinking."""
    smaller = height < image.shape[0]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_NEAREST_EXACT
    return cv2.resize(image, (width, height), interpolation=interpolation)


def _array(values: Values, dtype: type = np.float64) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.is_floating_point() else values).numpy()
    return np.asarray(values, dtype)


def _flat(features: Tensor) -> Tensor:
    """[D, h, w] -> [h * w, D] float32 on the CPU."""
    return features.detach().float().cpu().flatten(1).T


def _known(depth: np.ndarray) -> np.ndarray:
    return np.isfinite(depth) & (depth > 0)


def _colormap(share: np.ndarray, name: int) -> np.ndarray:
    """Values [H, W], clipped to [0, 1], in one of OpenCV's colour maps."""
    levels = (np.nan_to_num(share).clip(0.0, 1.0) * 255.0).round().astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, name), cv2.COLOR_BGR2RGB)


def _blank(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def _scaled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scales an image to fit into height x width, in its own shape."""
    ratio = min(height / image.shape[0], width / image.shape[1])
    return resized(image, max(1, round(image.shape[0] * ratio)), max(1, round(image.shape[1] * ratio)))


def _text_width(text: str) -> int:
    return cv2.getTextSize(text, FONT, FONT_SCALE, 1)[0][0]


def _fitted(text: str, width: int) -> str:
    """Cuts a text so that it fits into `width` pixels, and appends two dots to a cut one."""
    if _text_width(text) <= width:
        return text
    while text and _text_width(text + "..") > width:
        text = text[:-1]
    return text + ".."


def _write(picture: np.ndarray, text: str, left: int, middle: int) -> None:
    """Draws text from `left`, its capitals centred on row `middle`."""
    height = cv2.getTextSize("H", FONT, FONT_SCALE, 1)[0][1]
    cv2.putText(picture, text, (left, middle + height // 2), FONT, FONT_SCALE, INK, 1, cv2.LINE_AA)
