"""Image quality of one rendered view: PSNR and SSIM as GP-NeRF publishes them.

Images are [C, H, W] in [0, 1]. mask: bool [H, W], the pixels that count, None for all. A table takes the mean
over the images of a scene, then over scenes (GP-NeRF, Sec. 5.1 Metrics).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity
from torch import Tensor

# Caps the PSNR of identical images at 60 dB, as published.
MSE_FLOOR = 1e-6

# SSIM (Wang et al., 2004) as GNT and GP-NeRF compute it, for a value range of 1.
WINDOW_SIZE = 11
WINDOW_SIGMA = 1.5
LUMINANCE_FLOOR = 0.01**2
CONTRAST_FLOOR = 0.03**2
# The window that scikit-image takes by default.
SCIKIT_WINDOW_SIZE = 7


def psnr(prediction: Tensor, truth: Tensor, mask: Tensor | None = None) -> float | None:
    """-10 log10(MSE + 1e-6) in dB, at most 60. The prediction is *not* clipped to [0, 1], as published.

    None if the mask leaves no pixel.
    """
    if mask is not None and not mask.any():
        return None
    errors = (prediction.float() - truth.float()).square()
    error = (errors if mask is None else errors[:, mask]).mean()
    return -10.0 * math.log10(error.item() + MSE_FLOOR)


def ssim(prediction: Tensor, truth: Tensor, mask: Tensor | None = None) -> float | None:
    """SSIM as published by GNT and GP-NeRF; 1 for identical images.

    11 x 11 Gaussian window of sigma 1.5, images padded with zeros, each channel alone, mean over every
    pixel including the borders. Not comparable with `ssim_scikit`. With a mask, mean over the pixels whose
    window holds no masked pixel; None if there is no such window.
    """
    images = torch.stack([prediction.float(), truth.float()])
    mean_p, mean_t = _blur(images)
    square_p, square_t = _blur(images.square())
    product = _blur((images[0] * images[1])[None])[0]
    variances = square_p - mean_p.square() + square_t - mean_t.square()
    covariance = product - mean_p * mean_t
    luminance = (2 * mean_p * mean_t + LUMINANCE_FLOOR) / (
        mean_p.square() + mean_t.square() + LUMINANCE_FLOOR
    )
    contrast = (2 * covariance + CONTRAST_FLOOR) / (variances + CONTRAST_FLOOR)
    return _mean_where_whole(luminance * contrast, mask, WINDOW_SIZE)


def ssim_scikit(prediction: Tensor, truth: Tensor, mask: Tensor | None = None) -> float | None:
    """SSIM by scikit-image: uniform 7 x 7 window, range 1, borders left out (the DM-NeRF protocol).

    A mask counts as in `ssim`.
    """
    first, second = (image.detach().float().cpu().numpy() for image in (prediction, truth))
    mean, each = structural_similarity(first, second, channel_axis=0, data_range=1.0, full=True)
    if mask is None:
        return float(mean)
    border = SCIKIT_WINDOW_SIZE // 2
    inner = (..., slice(border, -border), slice(border, -border))
    whole = _whole_windows(mask, SCIKIT_WINDOW_SIZE)[inner]
    return _mean_where(torch.from_numpy(each)[inner], whole.cpu())


def _mean_where_whole(values: Tensor, mask: Tensor | None, window: int) -> float | None:
    """Mean of values [C, H, W] over the pixels whose window holds no masked pixel; None if there are none."""
    return values.mean().item() if mask is None else _mean_where(values, _whole_windows(mask, window))


def _mean_where(values: Tensor, chosen: Tensor) -> float | None:
    return values[:, chosen].mean().item() if chosen.any() else None


def _whole_windows(mask: Tensor, window: int) -> Tensor:
    """Pixels of a mask bool [H, W] whose window holds no masked pixel; none are masked outside the image."""
    masked = (~mask).float()[None, None]
    return F.max_pool2d(masked, window, stride=1, padding=window // 2)[0, 0] == 0


def _blur(images: Tensor) -> Tensor:
    """Blurs images [N, C, H, W], padded with zeros, by the Gaussian window, one axis after the other."""
    offsets = torch.arange(WINDOW_SIZE, device=images.device) - WINDOW_SIZE // 2
    window = torch.exp(-offsets.square() / (2 * WINDOW_SIGMA**2))
    window = window / window.sum()
    flat = images.flatten(0, 1)[:, None]
    flat = F.conv2d(flat, window.view(1, 1, -1, 1), padding=(WINDOW_SIZE // 2, 0))
    flat = F.conv2d(flat, window.view(1, 1, 1, -1), padding=(0, WINDOW_SIZE // 2))
    return flat.view(images.shape)
