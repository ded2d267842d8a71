"""LPIPS, the learned perceptual distance of two images, with a VGG-16 backbone (Zhang et al., 2018).

The package `lpips` brings the network and its linear weights, version 0.1. scripts/fetch_lpips.py puts the
weights of the backbone into the cache.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gpnerf.system.files import cache_folder

logger = logging.getLogger(__name__)

LINEAR_WEIGHTS = Path("weights", "v0.1", "vgg.pth")
COMMAND = "python scripts/fetch_lpips.py"


class LPIPS:
    """Distance of two images; lower is better, 0 for identical images."""

    def __init__(self, network: nn.Module, device: torch.device | str) -> None:
        """network: an `lpips.LPIPS`, such as `build_network` makes."""
        self.network = network.to(device)
        self.device = device

    @torch.no_grad()
    def __call__(
        self, prediction: Tensor, truth: Tensor, as_published: bool = False, mask: Tensor | None = None
    ) -> float:
        """Distance of two images [3, H, W] in [0, 1]; masked pixels of the prediction are set to the truth.

        The network expects [-1, 1], to which images are scaled. GNT and GP-NeRF pass [0, 1] instead;
        `as_published` repeats that, only for comparisons with their tables.
        """
        if mask is not None:
            prediction = torch.where(mask, prediction, truth)
        pair = (image.float().to(self.device)[None] for image in (prediction, truth))
        return self.network(*pair, normalize=not as_published).item()


def load_lpips(device: torch.device | str) -> LPIPS | None:
    """Loads the LPIPS metric, or logs one sentence and returns None if it cannot run. Downloads nothing."""
    path = backbone_file()
    try:
        network = build_network(load_file(path))
    except FileNotFoundError:
        logger.warning("LPIPS is left out: its weights %s do not exist; run `%s` to get them.", path, COMMAND)
    except ImportError:
        logger.warning("LPIPS is left out: run `pip install lpips` to include it.")
    except (OSError, SafetensorError, KeyError, RuntimeError):
        logger.warning(
            "LPIPS is left out: expected VGG-16's convolutions in %s, found a damaged or another file; run "
            "`%s` to get them again.",
            path,
            COMMAND,
        )
    else:
        return LPIPS(network, device)
    return None


def backbone_file() -> Path:
    """The file of VGG-16's convolutions, by the names of `gpnerf/preparation/vgg16.py`."""
    return cache_folder() / "lpips" / "vgg16.safetensors"


def build_network(convolutions: Mapping[str, Tensor]) -> nn.Module:
    """Builds an `lpips.LPIPS` without a download.

    convolutions: float32 {"0.weight": [64, 3, 3, 3], "0.bias": [64], ...}. Raises KeyError or RuntimeError if
    they are not those of a VGG-16.
    """
    import lpips

    with torch.device("meta"), warnings.catch_warnings():
        # lpips makes a random backbone, here one without numbers, in a way that torchvision deprecates.
        warnings.simplefilter("ignore", UserWarning)
        network = lpips.LPIPS(net="vgg", pretrained=False, pnet_rand=True, verbose=False)
    network.scaling_layer = lpips.ScalingLayer()
    linear = torch.load(Path(lpips.__file__).parent / LINEAR_WEIGHTS, map_location="cpu", weights_only=True)
    _fill(network.lins, {name.removeprefix("lin"): weight for name, weight in linear.items()})
    for part in network.net.children():
        _fill(part, convolutions)
    return network


def _fill(part: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Gives a part that has shapes alone its weights, by name."""
    part.load_state_dict({name: weights[name] for name in part.state_dict()}, assign=True)
