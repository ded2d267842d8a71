"""A VGG-16 whose convolutions copy, as the package of LPIPS's weights would hold it."""

from __future__ import annotations

import numpy as np

WIDTHS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


def content_of_package() -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """What the package's pickle holds, of convolutions that copy channel k of the input to channel k."""
    layers = {}
    for number, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:], strict=False)):
        kernel = np.zeros((3, 3, inputs, outputs), np.float32)
        kernel[1, 1] = np.eye(inputs, outputs)
        layers[f"Conv_{number}"] = {"kernel": kernel, "bias": np.zeros(outputs, np.float32)}
    return {"VGG16_0": layers}
