"""What a run asks of the network, and a small sample of it, to time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.methods.gpnerf.model import GPNeRF, SourceFeatures
from gpnerf.system.devices import autocast

# Scene of a sample: any will do.
NEAR, FAR, BASELINE = 0.5, 5.0, 0.1
# Of the largest tensor of a sample, so that it takes a fraction of a second on any machine.
SAMPLE_BYTES = 10 * 2**20


@dataclass(frozen=True)
class Workload:
    """`items` training steps or rendered views, each of `rays` rays from V source views of height x width
    pixels. training: with gradients. chunk: rays at a time."""

    height: int
    width: int
    views: int
    rays: int
    items: int
    training: bool
    chunk: int


class Sample:
    """Some rays of a workload, rendered by its model again and again; for training, the encoding of a source
    image and all gradients too. Leaves no trace in the model."""

    def __init__(self, model: GPNeRF, work: Workload) -> None:
        self.model, self.work = model, work
        largest = max(1, SAMPLE_BYTES // model.bytes_per_ray(work.views))
        self.rays = min(work.rays, work.chunk, largest, work.height * work.width)
        self.cameras = Camera.stack([self._camera(view) for view in range(work.views)]).to(model.device)
        self.kept: dict[str, SourceFeatures] = {}

    @property
    def count(self) -> float:
        """How many samples make up the whole workload."""
        return self.work.items * self.work.rays / self.rays

    def facts(self, machine: str) -> list:
        """All that the time of a sample depends on, as JSON values."""
        model, work = self.model, self.work
        shapes = str([list(one.shape) for one in model.parameters()])
        key, net = hashlib.sha256(shapes.encode()).hexdigest()[:16], model.transformer
        network = key, model.samples, model.fine_samples, net.heads, net.field_layers[0].dropout.p
        run = work.height, work.width, work.views, self.rays, work.training
        torch_set = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        return [machine, str(torch.__version__), *torch_set, *network, *run]

    def run(self, precision: str) -> None:
        """Computes the sample; a GPU has finished when it returns."""
        model, training = self.model, self.work.training
        with torch.set_grad_enabled(training), autocast(model.device, precision):
            if training or precision not in self.kept:
                self.kept[precision] = self._sources()
            pixels = pixel_grid(self.work.height, self.work.width)[: self.rays].to(model.device)
            rays = self._camera(0).to(model.device).rays(pixels)
            found = model.render_rays(self.kept[precision], *rays, NEAR, FAR, model.has_semantics)[-1]
            outputs = [found.color, found.semantic] if model.has_semantics else [found.color]
            if training:
                total = sum(one.square().mean() for one in outputs)
                torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)

    def _sources(self) -> SourceFeatures:
        """One encoded image, as if all views showed it."""
        height, width, views = self.work.height, self.work.width, self.work.views
        ramp = torch.linspace(0.0, 1.0, height * width, device=self.model.device).reshape(1, 1, height, width)
        first = Camera.stack([self._camera(0)]).to(self.model.device)
        one, _ = self.model.encode(ramp.expand(1, 3, height, width), first)
        maps = (one.images, one.colors, one.semantics)
        return SourceFeatures(
            self.cameras,
            *(None if each is None else each.expand(views, -1, -1, -1).contiguous() for each in maps),
        )

    def _camera(self, view: int) -> Camera:
        """Side by side, looking ahead with a right angle of view."""
        pose = torch.eye(4)
        pose[0, 3] = BASELINE * view
        height, width = self.work.height, self.work.width
        middle = (width - 1) / 2, (height - 1) / 2
        return Camera.from_focal(width / 2, width / 2, *middle, pose, height, width)
