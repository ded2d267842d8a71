"""A tiny model, a made-up example, and the golden arrays in the project's terms; shared by the tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpnerf.datasets.examples import Example
from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.datasets.layouts import Reading, load_scene
from gpnerf.datasets.scene import Frame, Scene
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.rays import Rays
from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.methods.settings import Settings
from gpnerf.rendering.view import Prepared

TINY = {
    "classes": 3,
    "encoder_width": 8,
    "encoder_blocks": (1, 1, 1),
    "color_features": 5,
    "level_width": 8,
    "transformer_width": 16,
    "layers": 2,
    "frequencies": 2,
    "dropout": 0.0,
    "samples": 6,
    "fine_samples": 4,
    "weight_depth": 0.0,
}

# Names of the reference's tensors and ours, in the order in which they are replaced.
TRANSFORMER_NAMES = (
    (r"^rgbfeat_fc", "embed"),
    (r"^view_crosstrans", "field_layers"),
    (r"^view_selftrans", "ray_layers"),
    (r"^q_fcs\.(\d+)\.0", r"mixers.\1.mix"),
    (r"^q_fcs\.(\d+)\.2", r"mixers.\1.out"),
    (r"^rgb_fc", "color"),
    (r"attn_norm", "norm"),
    (r"ff_norm", "feed_forward.norm"),
    (r"ff\.fc1", "feed_forward.expand"),
    (r"ff\.fc2", "feed_forward.reduce"),
    (r"attn\.q_fc", "query"),
    (r"attn\.k_fc", "key"),
    (r"attn\.v_fc", "value"),
    (r"attn\.pos_fc", "position"),
    (r"attn\.attn_fc", "weigh"),
    (r"attn\.out_fc", "out"),
)
ADAPTOR_NAMES = ((r"^semantic_adaptor\.0", "linear"),)
ENCODER_NAMES = ((r"^(conv1|bn1|layer)", r"\1"),)
DECODER_NAMES = (
    (r"^upconv3\.conv", "up_middle"),
    (r"^iconv3", "join_middle"),
    (r"^upconv2\.conv", "up_low"),
    (r"^iconv2", "join_low"),
    (r"^out_conv", "out"),
    (r"\.bn\.", ".norm."),
)
PYRAMID_NAMES = (
    (r"^lateral_convs", "inner_blocks"),
    (r"^fpn_convs", "layer_blocks"),
    (r"\.conv\.", ".0."),
)


def load_folder(folder: Path, dataset: str = "transforms", **reading: Any) -> Scene:
    """The scene in a folder."""
    return load_scene(dataset, folder.parent, folder.name, Reading(**reading))


def tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def weights(
    arrays: Mapping[str, Tensor], names: tuple[tuple[str, str], ...], start: str = ""
) -> dict[str, Tensor]:
    """The reference's weights `w/...` whose names match the pattern `start`, under our names."""
    found = {}
    for name, array in arrays.items():
        if name.startswith("w/") and re.match(start, name[2:]):
            new = name[2:]
            for pattern, replacement in names:
                new = re.sub(pattern, replacement, new)
            found[new] = array
    return found


def golden_camera(vectors: Tensor) -> Camera:
    """Cameras [..., 34] of the golden files: height, width, intrinsics 4x4, camera-to-world 4x4."""
    height, width = (int(size) for size in vectors.reshape(-1)[:2])
    matrices = vectors[..., 2:].reshape(*vectors.shape[:-1], 2, 4, 4)
    return Camera(matrices[..., 0, :3, :3], matrices[..., 1, :, :], height, width)


def channels_last(maps: Tensor) -> Tensor:
    return maps.movedim(1, -1).contiguous()


def assert_golden(actual: Tensor, expected: Tensor, atol: float = 2e-5) -> None:
    """Equal within the tolerance of the golden arrays."""
    torch.testing.assert_close(actual, expected, atol=atol, rtol=1e-4)


def tiny_settings(**changes: Any) -> Settings:
    """Of a model with every part; changes: fields of its sizes, function or recipe."""
    return Settings.of("gpnerf", **{**TINY, **changes})


def tiny_model(seed: int = 0, **changes: Any) -> GPNeRF:
    """A model with every part, small enough for a view in a fraction of a second; in training mode."""
    torch.manual_seed(seed)
    return tiny_settings(**changes).build()


def camera_at(x: float, height: int, width: int) -> Camera:
    """A camera at (x, 0, 0) that looks along z."""
    pose = torch.eye(4)
    pose[0, 3] = x
    return Camera.from_focal(width, width, (width - 1) / 2, (height - 1) / 2, pose, height, width)


def photograph(x: float, height: int, width: int) -> Tensor:
    """What camera_at(x) sees of a wavy picture on the wall z = 2: [3, H, W]."""
    origins, directions = camera_at(x, height, width).rays(pixel_grid(height, width))
    wall = (origins + 2.0 * directions).reshape(height, width, 3)
    waves = [
        torch.sin(3.0 * wall[..., 0]),
        torch.cos(4.0 * wall[..., 1]),
        torch.sin(5.0 * wall[..., :2].sum(-1)),
    ]
    return 0.5 + 0.4 * torch.stack(waves)


def tiny_example(
    height: int = 24, width: int = 32, views: int = 3, depth: bool = True, semantic: bool = True
) -> Example:
    """A target at x = 0 and sources beside it, before a wall; left to right classes 0, 1, 2."""
    places = [0.2 * (view + 1) * (-1) ** view for view in range(views)]
    labels = (torch.arange(width) * 3 // width).expand(height, width).clone()
    target = Frame(
        scene="wall",
        name="0",
        image=photograph(0.0, height, width),
        camera=camera_at(0.0, height, width),
        depth=torch.full((height, width), 2.0) if depth else None,
        semantic=labels if semantic else None,
        instance=None,
    )
    return Example(
        target=target,
        sources=SourceViews(
            images=torch.stack([photograph(x, height, width) for x in places]),
            cameras=Camera.stack([camera_at(x, height, width) for x in places]),
            names=tuple(str(view + 1) for view in range(views)),
        ),
        near=0.5,
        far=5.0,
    )


def prepared(model: GPNeRF, example: Example) -> Prepared:
    """The source views of an example and their cameras."""
    return Prepared(model.prepare(example.sources, example.near, example.far), example.sources.cameras)


def rays_of(example: Example, pixels: Tensor) -> Rays:
    """Through pixels [R, 2] (column, row) of the target."""
    return Rays.through(pixels, example.target.camera, example.near, example.far)


def gradient_size(loss: Tensor, module: torch.nn.Module) -> float:
    """The largest entry of the gradient of a loss with respect to a module; 0 where none arrives."""
    if not loss.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)
    return max((one.abs().max().item() for one in gradients if one is not None), default=0.0)
