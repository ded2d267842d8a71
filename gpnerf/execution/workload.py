"""The work that a run has for the network, and a small sample of it for timing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import torch

from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.rays import Rays
from gpnerf.methods.method import Method
from gpnerf.system.devices import autocast

# An arbitrary scene: z-depth range and distance of neighbouring cameras.
NEAR, FAR, BASELINE = 0.5, 5.0, 0.1
# Size of the largest tensor of a sample, which then takes a fraction of a second on any machine.
SAMPLE_BYTES = 10 * 2**20


@dataclass(frozen=True)
class Workload:
    """The work of a run: `items` training steps or rendered views of `rays` rays each.

    height, width: size of the source views, in pixels. views: number of source views. training: gradients are
    computed. chunk: rays at a time. one_shape: all items have these sizes.
    """

    height: int
    width: int
    views: int
    rays: int
    items: int
    training: bool
    chunk: int
    one_shape: bool = True


class Sample:
    """A few rays of a workload, which the model can render repeatedly.

    For training, a sample also encodes a source image and computes all gradients. The model is not changed.
    """

    def __init__(self, model: Method, work: Workload) -> None:
        self.model, self.work = model, work
        largest = max(1, SAMPLE_BYTES // model.bytes_per_ray(work.views))
        self.rays = min(work.rays, work.chunk, largest, work.height * work.width)
        self.cameras = self._ramps(work.views).cameras
        self.kept: dict[str, Any] = {}

    @property
    def count(self) -> float:
        """The number of samples that make up the whole workload."""
        return self.work.items * self.work.rays / self.rays

    def facts(self, machine: str) -> list:
        """Everything that the time of a sample depends on, as JSON values."""
        work, model = self.work, self.model
        parts = (asdict(part) for part in (model.sizes, model.function, model.recipe))
        values = {name: value for part in parts for name, value in part.items()}
        # Learning rates and loss weights do not change the time.
        timed = {name: value for name, value in values.items() if not name.startswith(("lr_", "weight_"))}
        settings = json.dumps([type(model).__name__, timed], sort_keys=True)
        key = hashlib.sha256(settings.encode()).hexdigest()[:16]
        run = work.height, work.width, work.views, self.rays, work.training
        torch_set = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        return [machine, str(torch.__version__), *torch_set, key, *run]

    def run(self, precision: str) -> None:
        """Renders the sample and waits until a GPU has finished."""
        model, training = self.model, self.work.training
        buffers = [one.clone() for one in model.buffers()]
        with torch.set_grad_enabled(training), autocast(model.device, precision):
            if training or precision not in self.kept:
                self.kept[precision] = self._prepared()
            pixels = pixel_grid(self.work.height, self.work.width)[: self.rays].to(model.device)
            rays = Rays.through(pixels, self._cameras(1)[0].to(model.device), NEAR, FAR)
            prepared = self.kept[precision], self.cameras
            found = model.render_rays(*prepared, rays, model.has_classes)[-1]
            outputs = [found.color, found.semantic] if model.has_classes else [found.color]
            if training:
                total = sum(one.square().mean() for one in outputs)
                torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
        # A batch norm in training counts every batch, also those of a sample.
        for one, before in zip(model.buffers(), buffers, strict=True):
            one.copy_(before)
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)

    def _prepared(self) -> Any:
        """Prepares source views that all show one image; a separable method prepares only one of them."""
        model, views = self.model, self.work.views
        if not (model.separable and views):
            return model.prepare(self._ramps(views), NEAR, FAR)
        return model.join([model.prepare(self._ramps(1), NEAR, FAR)] * views)

    def _ramps(self, views: int) -> SourceViews:
        height, width = self.work.height, self.work.width
        if not views:
            return SourceViews.none(height, width).to(self.model.device)
        ramp = torch.linspace(0.0, 1.0, height * width).reshape(1, 1, height, width)
        images = ramp.expand(views, 3, height, width)
        depths = torch.full((views, height, width), (NEAR * FAR) ** 0.5) if self.model.needs_depth else None
        return SourceViews(images, Camera.stack(self._cameras(views)), depths=depths).to(self.model.device)

    def _cameras(self, count: int) -> list[Camera]:
        """Cameras in a row, all looking ahead, with a horizontal angle of view of 90 degrees."""
        height, width = self.work.height, self.work.width
        poses = torch.eye(4).repeat(count, 1, 1)
        poses[:, 0, 3] = BASELINE * torch.arange(count)
        middle = (width - 1) / 2, (height - 1) / 2
        return [Camera.from_focal(width / 2, width / 2, *middle, pose, height, width) for pose in poses]
