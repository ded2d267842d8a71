"""Method: the one interface between a way to render views and everything else.

Training, rendering, evaluation and checkpoints talk to nothing else; none of them asks which method it is.
docs/architecture.md holds the interface against every method and every plan of this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from gpnerf.datasets.examples import Example, SourceViews
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.rays import Rays
from gpnerf.system.errors import ConfigError


@dataclass(frozen=True)
class RayPass:
    """R rays after one pass over S samples: color [R, 3]; depth [R], z in metres; rising depths [R, S] of the
    samples and their weights [R, S]; and where asked for, semantic [R, D], the entries of the map that
    Method.labels reads, and point_semantics [R, S, D], the same of every sample."""

    color: Tensor
    depth: Tensor
    depths: Tensor
    weights: Tensor
    semantic: Tensor | None = None
    point_semantics: Tensor | None = None

    @staticmethod
    def concatenate(parts: Sequence[RayPass]) -> RayPass:
        """The rays of all parts, which have the same fields."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return RayPass(*(None if column[0] is None else torch.cat(column) for column in columns))


class StepLosses(NamedTuple):
    """What an example gives in training: unweighted losses by name, and the PSNR of its final colours, dB."""

    losses: dict[str, Tensor]
    psnr: Tensor


class Method(nn.Module):
    """A way to render colour, depth and labels of views nobody took.

    Facts of a class: the dataclasses of its settings, whose options `--method NAME` adds: Sizes decides
    tensors, and has a field `classes`; Function decides outputs with the same tensors; Recipe is read by
    training alone, and has a field lr_NAME for every parameter group and weight_NAME for every loss.
    per_scene: knows the one scene that it was trained on. source_views: how many it wants, by default or,
    if fixed_source_views, always. separable: a source view is prepared without the others, so that it can
    be kept. map_stride: pixels from one entry of the label map to the next. smallest_image: shortest side
    that it can render, pixels.
    """

    Sizes: ClassVar[type]
    Function: ClassVar[type]
    Recipe: ClassVar[type]
    per_scene: ClassVar[bool] = False
    source_views: ClassVar[int] = 10
    fixed_source_views: ClassVar[bool] = False
    separable: ClassVar[bool] = True
    map_stride: ClassVar[int] = 1
    smallest_image: ClassVar[int] = 1

    def __init__(self, sizes: Any, function: Any, recipe: Any) -> None:
        super().__init__()
        self.sizes, self.function, self.recipe = sizes, function, recipe

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def has_classes(self) -> bool:
        return self.sizes.classes > 0

    # Rendering

    def prepare(self, sources: SourceViews, near: float, far: float) -> Any:
        """What rendering needs of V source views, once; no cameras, which may be given otherwise later."""
        raise NotImplementedError

    def join(self, parts: Sequence[Any]) -> Any:
        """What was prepared of single views -> as if it were of all; for separable methods."""
        raise NotImplementedError

    def render_rays(
        self,
        prepared: Any,
        cameras: Camera,
        rays: Rays,
        semantics: bool,
        generator: torch.Generator | None = None,
    ) -> list[RayPass]:
        """All passes over the rays, the final one last; cameras: of the V source views.

        semantics: the last pass also renders the entries of the label map. generator: random depths, for
        training.
        """
        raise NotImplementedError

    def labels(self, label_map: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """A rendered label map [D, h, w] -> classes [height, width] and their probabilities; IGNORE: none."""
        confidence, labels = label_map.softmax(dim=0).max(dim=0)
        return labels, confidence

    def target_map(self, image: Tensor) -> Tensor | None:
        """The label map [D, h, w] of a true image [3, H, W]; None where a method does not look at it."""
        return None

    def bytes_per_ray(self, views: int) -> int:
        """Of the largest tensor that a ray needs with V source views, by which chunks are chosen."""
        raise NotImplementedError

    def compiled_parts(self) -> Mapping[nn.Module, Sequence[str]]:
        """Functions, as attributes of modules, that torch.compile makes faster."""
        return {}

    # Training

    def losses(self, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
        """The losses that the maps of the example allow, of about so many rays; all randomness is of
        `generator` and of the global one."""
        raise NotImplementedError

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """All that learns, by the NAME of its learning rate --lr_NAME."""
        raise NotImplementedError

    @property
    def loss_names(self) -> list[str]:
        """All losses that the method knows."""
        return [one.name.removeprefix("weight_") for one in fields(self.recipe) if "weight_" in one.name]

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Eq. 8: the losses at hand, each times --weight_NAME, added up."""
        return sum(getattr(self.recipe, f"weight_{name}") * loss for name, loss in losses.items())

    def backward(self, losses: Mapping[str, Tensor], share: float = 1.0) -> Tensor:
        """Adds `share` of the gradient of the total to those of the parameters; returns the total."""
        total = self.total(losses)
        (share * total).backward()
        return total.detach()

    def memory_remedy(self, rays: int, views: int) -> str:
        """The options, and their values, by which a step of so many rays takes less memory; "" for none."""
        return ""

    @classmethod
    def check_size(cls, height: int | None, width: int | None) -> None:
        """Raises ConfigError for a side that is too short; None is not known yet."""
        least = cls.smallest_image
        if min(side for side in (height, width, least) if side is not None) < least:
            raise ConfigError(
                f"Expected --height and --width of at least {least} pixels, which the network needs, "
                f"found {height or 'none'} and {width or 'none'}; raise them."
            )
