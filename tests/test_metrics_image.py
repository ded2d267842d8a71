"""PSNR and SSIM against hand numbers, identities and the published formulas' outputs."""

from __future__ import annotations

import math

import pytest
import torch

from gpnerf.metrics.image import psnr, ssim, ssim_scikit


@pytest.mark.parametrize("case", [0, 1])
def test_golden(golden, case):
    arrays = golden("metrics")
    prediction, truth = (
        torch.from_numpy(arrays[f"in/img_{name}_{case}"]).permute(2, 0, 1) for name in ("pred", "gt")
    )
    assert psnr(prediction, truth) == pytest.approx(arrays[f"out/psnr_{case}"].item(), abs=1e-4)
    assert ssim(prediction, truth) == pytest.approx(arrays[f"out/ssim_{case}"].item(), abs=2e-5)
    expected = arrays[f"out/ssim_dmnerf_{case}"].item()
    assert ssim_scikit(prediction, truth) == pytest.approx(expected, abs=2e-5)


def test_psnr_of_a_constant_difference_of_a_tenth():
    # MSE = 0.01, so 20 dB but for the floor: 10 log10(1 + 1e-4) = 4.343e-4 dB.
    truth = torch.full((3, 6, 8), 0.4)
    assert psnr(truth + 0.1, truth) == pytest.approx(20.0 - 4.343e-4, abs=1e-5)


def test_psnr_is_60_for_identical_images():
    image = torch.rand(3, 6, 8)
    assert psnr(image, image) == pytest.approx(60.0)


def test_psnr_does_not_clip_the_prediction():
    assert psnr(torch.full((3, 4, 4), 2.0), torch.ones(3, 4, 4)) == pytest.approx(0.0, abs=1e-5)


def test_ssim_of_identical_images_is_one():
    image = torch.rand(3, 16, 20)
    assert ssim(image, image) == pytest.approx(1.0, abs=1e-5)
    assert ssim_scikit(image, image) == pytest.approx(1.0, abs=1e-6)


def test_ssim_is_symmetric_and_falls_with_noise():
    noise = torch.Generator().manual_seed(0)
    truth = torch.rand(3, 24, 24, generator=noise)
    change = torch.randn(3, 24, 24, generator=noise)
    little, much = ssim(truth + 0.02 * change, truth), ssim(truth + 0.2 * change, truth)
    assert 0.0 < much < little < 1.0
    assert ssim(truth, truth + 0.2 * change) == pytest.approx(much, abs=1e-6)


def test_ssim_of_one_bright_pixel_by_hand():
    # Black against black with one pixel of value v in the middle of 23 x 23, so that no window reaches the
    # border. With window weight w: means 0 and w v, variances 0 and w v^2 (1 - w), covariance 0, and SSIM
    # = C1 / ((w v)^2 + C1) * C2 / (w (1 - w) v^2 + C2); 1 where the window does not reach.
    value, size = 0.5, 23
    bright = torch.zeros(1, size, size)
    bright[0, size // 2, size // 2] = value
    line = [math.exp(-(i**2) / 4.5) for i in range(-5, 6)]
    weights = [a * b / sum(line) ** 2 for a in line for b in line]
    near = sum(1e-4 / ((w * value) ** 2 + 1e-4) * 9e-4 / (w * (1 - w) * value**2 + 9e-4) for w in weights)
    expected = (near + size**2 - len(weights)) / size**2
    assert ssim(torch.zeros_like(bright), bright) == pytest.approx(expected, abs=1e-6)
