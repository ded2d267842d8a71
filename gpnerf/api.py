"""The Python interface: load a trained model or a scene, render tensors to tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gpnerf.datasets.discover import find_scenes
from gpnerf.datasets.examples import SourceViews
from gpnerf.datasets.layouts import Reading, load_scene
from gpnerf.datasets.scene import Scene
from gpnerf.geometry.cameras import Camera
from gpnerf.methods.method import Method
from gpnerf.rendering.view import Prepared, RenderedView, render_view
from gpnerf.system.devices import autocast, choose_device
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.training.checkpoint import load_checkpoint


@dataclass(frozen=True)
class Model:
    """A trained model, ready to render.

    class_names: the names of its labels, empty for a model without classes. precision: see `load`.
    """

    method: Method
    class_names: tuple[str, ...]
    precision: str

    def render(
        self,
        images: Tensor,
        cameras: Camera,
        target_camera: Camera,
        near: float,
        far: float,
        masks: Tensor | None = None,
        chunk_size: int | None = None,
    ) -> RenderedView:
        """Renders the view of a camera from V photographs: color [3, H, W], depth [H, W], labels, features.

        images: float [V, 3, h, w] in [0, 1]. cameras: a batch of V cameras (see Camera.stack). target_camera:
        one camera, whose size H x W is rendered. near, far: z-depth range of the scene, in the units of the
        poses. masks: bool [V, h, w], True for pixels that may be used; None uses all. chunk_size: rays at a
        time; None chooses a suitable number. Raises ConfigError for shapes that do not match.
        """
        _check(images, cameras, near, far)
        for camera in (cameras, target_camera):
            self.method.check_size(camera.height, camera.width)
        sources = SourceViews(images, cameras, masks).to(self.method.device)
        with torch.no_grad(), autocast(self.method.device, self.precision):
            prepared = Prepared(self.method.prepare(sources, near, far), sources.cameras)
            target_camera = target_camera.to(self.method.device)
            return render_view(self.method, prepared, target_camera, near, far, chunk_size)


def load(path: str | Path, device: str = "auto", precision: str = "float32") -> Model:
    """Loads the model of a checkpoint.

    path: a file, or the folder of a run, whose newest checkpoint is used. device: auto, cpu, cuda, ...;
    precision: float32 or bfloat16. Raises CheckpointError for a file that is not a checkpoint.
    """
    checkpoint = load_checkpoint(Path(path))
    method = checkpoint.build().to(choose_device(device)).eval()
    return Model(method, checkpoint.class_names, precision)


def open_scene(path: str | Path, near: float | None = None, far: float | None = None) -> Scene:
    """Opens the scene in a folder of any supported layout.

    near, far: z-depth range; None takes it from the files of the scene. Raises DataError for a folder that
    holds no scene or several.
    """
    found = find_scenes(Path(path))
    if len(found) > 1:
        raise DataError(
            f"{path}: expected one scene, found {len(found)}, the first in {found[0].name}; name one of them."
        )
    return load_scene(*found[0], Reading(near, far))


def _check(images: Tensor, cameras: Camera, near: float, far: float) -> None:
    expected = (len(cameras.intrinsics), 3, cameras.height, cameras.width)
    if tuple(images.shape) != expected or not images.is_floating_point():
        raise ConfigError(
            f"Expected images as floats of shape {list(expected)}, which their cameras imply, found "
            f"{list(images.shape)} of {images.dtype}; resize images and cameras together (Camera.resized), "
            "and divide 8-bit images by 255."
        )
    if not 0 < near < far:
        raise ConfigError(f"Expected 0 < near < far, found near {near:g} and far {far:g}; correct one.")
