"""The golden arrays of MVSNeRF in the project's terms, and a tiny model for other tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from helpers import tensors, weights
from torch import Tensor

from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.rays import Rays
from gpnerf.methods.mvsnerf.frustum import Frustum
from gpnerf.methods.mvsnerf.model import MVSNeRF
from gpnerf.methods.settings import Settings

# Names of the reference's tensors and ours, in the order in which they are replaced.
NAMES = (
    (r"^mvs\.feature\.conv0\.(\d)", r"encoder.features.\1"),
    (r"^mvs\.feature\.conv1\.0", "encoder.features.2"),
    (r"^mvs\.feature\.conv1\.1", "encoder.features.3"),
    (r"^mvs\.feature\.conv1\.2", "encoder.features.4"),
    (r"^mvs\.feature\.conv2\.0", "encoder.features.5"),
    (r"^mvs\.feature\.conv2\.1", "encoder.features.6"),
    (r"^mvs\.feature\.conv2\.2", "encoder.features.7"),
    (r"^mvs\.feature\.toplayer", "encoder.features.8"),
    (r"^mvs\.cost_reg_2\.conv0", "encoder.volume.enter"),
    (r"^mvs\.cost_reg_2\.conv1\.", "encoder.volume.down.0.0."),
    (r"^mvs\.cost_reg_2\.conv2\.", "encoder.volume.down.0.1."),
    (r"^mvs\.cost_reg_2\.conv3\.", "encoder.volume.down.1.0."),
    (r"^mvs\.cost_reg_2\.conv4\.", "encoder.volume.down.1.1."),
    (r"^mvs\.cost_reg_2\.conv5\.", "encoder.volume.down.2.0."),
    (r"^mvs\.cost_reg_2\.conv6\.", "encoder.volume.down.2.1."),
    (r"^mvs\.cost_reg_2\.conv7", "encoder.volume.up.0"),
    (r"^mvs\.cost_reg_2\.conv9", "encoder.volume.up.1"),
    (r"^mvs\.cost_reg_2\.conv11", "encoder.volume.up.2"),
    (r"\.conv\.weight", ".0.weight"),
    (r"\.bn\.", ".1."),
    (r"^mlp\.nerf\.pts_linears", "field.trunk"),
    (r"^mlp\.nerf\.pts_bias", "field.scale"),
    (r"^mlp\.nerf\.alpha_linear", "field.density"),
    (r"^mlp\.nerf\.feature_linear", "field.feature"),
    (r"^mlp\.nerf\.views_linears\.0", "field.color.0"),
    (r"^mlp\.nerf\.rgb_linear", "field.color.2"),
)
# Small enough for a view in a fraction of a second.
TINY = {
    "classes": 3,
    "encoder_width": 4,
    "volume_width": 4,
    "planes": 16,
    "margin": 2,
    "mlp_width": 16,
    "mlp_layers": 3,
    "frequencies": 3,
    "samples": 10,
}


def tiny_mvsnerf(**changes: object) -> MVSNeRF:
    """A small model of three classes, whose space is not empty."""
    torch.manual_seed(0)
    model = Settings.of("mvsnerf", **{**TINY, **changes}).build()
    torch.nn.init.constant_(model.field.density.bias, 0.5)
    return model


class Golden(NamedTuple):
    """The golden scene: its arrays, a model with their weights, source views, their frustum, and rays."""

    arrays: dict[str, Tensor]
    model: MVSNeRF
    sources: SourceViews
    frustum: Frustum
    rays: Rays


def golden_scene(arrays: dict[str, np.ndarray]) -> Golden:
    arrays = tensors(arrays)
    images = arrays["in/imgs01"]
    size, poses = images.shape[-2:], torch.linalg.inv(arrays["in/w2c"].double())
    cameras = Camera(arrays["in/K"].expand(len(poses), 3, 3), poses, *size)
    pixels = torch.stack([arrays["in/pixel_index"] % size[1], arrays["in/pixel_index"] // size[1]], dim=-1)
    near, far = arrays["in/near_far"].tolist()
    frustum = Frustum(*size, len(arrays["in/depth_planes"]), int(arrays["in/pad"]), near, far)
    rays = Rays.through(pixels, cameras[3], near, far)
    return Golden(arrays, golden_model(arrays), SourceViews(images, cameras[[0, 1, 2]]), frustum, rays)


def golden_model(arrays: dict[str, Tensor]) -> MVSNeRF:
    """The model of the golden weights, whose MLP has half the published width."""
    found = weights(arrays, NAMES)
    model = Settings.of("mvsnerf", mlp_width=len(found["field.density.weight"][0])).build()
    model.load_state_dict(found)
    return model
