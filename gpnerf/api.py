"""The Python interface: load a trained model or a scene, render tensors to tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from gpnerf.config.types import RANGES, SCENE
from gpnerf.datasets.discover import find_scene
from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.datasets.layouts import Reading, load_scene
from gpnerf.datasets.scene import Scene
from gpnerf.geometry.cameras import Camera
from gpnerf.methods.method import Method
from gpnerf.rendering.photograph import check_renders
from gpnerf.rendering.view import GUIDE, Prepared, Quality, RenderedView, render_view
from gpnerf.system.devices import PRECISIONS, autocast, choose_device
from gpnerf.system.errors import ConfigError
from gpnerf.training.find_model import find_model


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
        images: Tensor | None,
        cameras: Camera | None,
        target_camera: Camera,
        near: float,
        far: float,
        masks: Tensor | None = None,
        chunk_size: int | None = None,
        guide: int | None = None,
        depths: Tensor | None = None,
    ) -> RenderedView:
        """Renders the view of a camera from V photographs: color [3, H, W], depth [H, W], labels, instances.

        images: float [V, 3, h, w] in [0, 1]. cameras: a batch of V cameras (see Camera.stack). Both are None
        for a model of one scene, which needs no photographs. target_camera: one camera, whose size H x W is
        rendered. near, far: z-depth range of the scene, in the units of the poses. masks: bool [V, h, w],
        True for pixels that may be used; None uses all. chunk_size: rays at a time; None chooses a suitable
        number. guide: as --guide of render.py; None is that of the method. depths: float [V, h, w], z-depths
        of the photographs in the units of the poses, 0 where unknown, for methods that need them (see
        Scene.read_map). Raises ConfigError for shapes that do not match, and for a method that renders
        nothing.
        """
        check_renders(type(self.method), self.method.paper_row)
        if images is None and cameras is None:
            nothing = SourceViews.none(target_camera.height, target_camera.width)
            images, cameras = nothing.images, nothing.cameras
        _check(self.method, images, cameras, masks)
        _check_depths(self.method, images, depths)
        _check_target(target_camera, near, far)
        for camera in (cameras, target_camera):
            self.method.check_size(camera.height, camera.width)
        # Poses keep their precision: their difference is formed in float64.
        cameras, target_camera = (
            replace(camera, intrinsics=camera.intrinsics.float()) for camera in (cameras, target_camera)
        )
        depths = depths.float() if self.method.needs_depth else None
        sources = SourceViews(images.float(), cameras, masks, depths=depths).to(self.method.device)
        with torch.no_grad(), autocast(self.method.device, self.precision):
            prepared = Prepared(self.method.prepare(sources, near, far), sources.cameras)
            target_camera = target_camera.to(self.method.device)
            quality = Quality(chunk_size, guide=guide or self.method.defaults.get("guide", GUIDE))
            return render_view(self.method, prepared, target_camera, near, far, quality)


def load(model: str | Path, device: str = "auto", precision: str = "float32") -> Model:
    """Loads a trained model.

    model: a checkpoint file, the folder of a run, whose newest checkpoint is used, a weights folder, the name
    of a shipped model, or hf://OWNER/NAME. device: auto, cpu, cuda, ...; precision: float32 or bfloat16.
    Raises CheckpointError if there is no such model, or if it cannot be read.
    """
    if precision not in PRECISIONS:
        raise ConfigError(
            f"Expected precision as {' or '.join(PRECISIONS)}, found {precision!r}; correct it."
        )
    checkpoint = find_model(model)
    method = checkpoint.build().to(choose_device(device)).eval()
    return Model(method, checkpoint.class_names, precision)


def open_scene(path: str | Path, depth_range: str | tuple[float, float] = SCENE) -> Scene:
    """Opens the scene in a folder of any supported layout.

    depth_range: (near, far) in the units of the poses; "scene" takes it from the files of the scene,
    "published" is that of ScanNet and Replica. Raises DataError for a folder that holds no scene or several.
    """
    if depth_range not in RANGES:
        _check_range(*depth_range)
    return load_scene(*find_scene(Path(path)), Reading(depth_range))


def _check(method: Method, images: Tensor, cameras: Camera, masks: Tensor | None) -> None:
    """Raises ConfigError for source views that do not go together or that the method cannot use."""
    batched = isinstance(cameras, Camera) and cameras.intrinsics.ndim == 3
    views = len(cameras.intrinsics) if batched else 0
    number = 0 if method.of_one_scene(method.recipe) else method.source_views
    enough = views == number if method.fixed_source_views else views > 0
    if not (batched and enough):
        wanted = f"{number}" if method.fixed_source_views else "at least one"
        found = f"a batch of {views}" if batched else "no batch"
        raise ConfigError(
            f"Expected a batch of {wanted} cameras, found {found}; make one with Camera.stack, and choose as "
            "many photographs."
        )
    expected = (views, 3, cameras.height, cameras.width)
    if not torch.is_tensor(images) or tuple(images.shape) != expected or not images.is_floating_point():
        found = (
            f"{list(images.shape)} of {images.dtype}" if torch.is_tensor(images) else type(images).__name__
        )
        raise ConfigError(
            f"Expected images as a float tensor of shape {list(expected)}, which their cameras imply, found "
            f"{found}; resize images and cameras together (Camera.resized), and divide 8-bit images by 255."
        )
    if views and (images.min() < 0 or images.max() > 1):
        raise ConfigError(
            f"Expected images in [0, 1], found {images.min():g} to {images.max():g}; divide 8-bit values by "
            "255."
        )
    if masks is not None and (tuple(masks.shape) != (views, *expected[2:]) or masks.dtype != torch.bool):
        raise ConfigError(
            f"Expected masks of shape {[views, *expected[2:]]} of torch.bool, found {list(masks.shape)} of "
            f"{masks.dtype}; resize masks and images together."
        )


def _check_depths(method: Method, images: Tensor, depths: Tensor | None) -> None:
    expected = [len(images), *images.shape[2:]]
    if method.needs_depth and (not torch.is_tensor(depths) or list(depths.shape) != expected):
        raise ConfigError(
            f"Expected depths of shape {expected}, from which {method.paper_row} starts, found "
            f"{'none' if depths is None else list(depths.shape)}; give the depth map of every photograph, or "
            f"{method.depth_remedy}."
        )


def _check_target(camera: Camera, near: float, far: float) -> None:
    if camera.intrinsics.ndim != 2:
        raise ConfigError("Expected one target camera, found a batch; render its cameras one by one.")
    _check_range(near, far)


def _check_range(near: float, far: float) -> None:
    if not 0 < near < far < math.inf:
        raise ConfigError(f"Expected 0 < near < far, found near {near:g} and far {far:g}; correct one.")
