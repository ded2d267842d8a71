"""Method: the one interface between a way to render views and the rest of the package.

Training, rendering, evaluation and checkpoints use a method only through this interface, and none of them
asks which method it is. docs/architecture.md checks the interface against further methods and plans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from gpnerf.datasets.examples import Example
from gpnerf.datasets.frame_reader import SourceViews
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.options import INSTANCE, NOTHING, SEMANTIC
from gpnerf.datasets.scene import Scene
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.rays import Rays
from gpnerf.geometry.sampling import Guide
from gpnerf.system.errors import ConfigError, DataError

# The image that gives the labels (--segment): the rendered view, or the photograph of the same view.
SEGMENTED = RENDERED, PHOTOGRAPH = ("rendered", "target")


@dataclass(frozen=True)
class RayPass:
    """R rays after one pass over S samples.

    color: [R, 3]. depth: [R], z in metres. depths: [R, S], rising z of the samples. weights: [R, S], of the
    samples. semantic: [R, D], the rays' entries of the label map (see Method.labels), None unless requested.
    point_semantics: [R, S, D], the same for every sample, None unless requested. valid: bool [R], the
    rays that count in losses, None if all do; rendering ignores it.
    """

    color: Tensor
    depth: Tensor
    depths: Tensor
    weights: Tensor
    semantic: Tensor | None = None
    point_semantics: Tensor | None = None
    valid: Tensor | None = None

    @staticmethod
    def concatenate(parts: Sequence[RayPass]) -> RayPass:
        """Joins the rays of all parts; a field is None in all parts or in none."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return RayPass(*(None if column[0] is None else torch.cat(column) for column in columns))

    def scaled(self, factor: float) -> RayPass:
        """The same in units of another length: depths times `factor`."""
        return replace(self, depth=factor * self.depth, depths=factor * self.depths)


class Labels(NamedTuple):
    """The labels of a view.

    classes: int64 [H, W], IGNORE for none. confidence: [H, W], their probabilities. instances: int64 [H, W],
    ids of this view alone, from 0 on, IGNORE for none; None if the method finds no instances.
    """

    classes: Tensor
    confidence: Tensor
    instances: Tensor | None = None

    def cpu(self) -> Labels:
        return Labels(*(None if one is None else one.cpu() for one in self))


class StepLosses(NamedTuple):
    """The losses of one example: unweighted, by name, and the PSNR of its rendered colours in dB, if any."""

    losses: dict[str, Tensor]
    psnr: Tensor | None = None


class Method(nn.Module):
    """A way to render colour, depth and labels of novel views.

    Three frozen dataclasses hold the settings of a method; `--method NAME` adds their fields as options.
    Sizes: the shapes of the parameters; has a field `classes`. Function: what else changes the outputs.
    Recipe: what only training reads; has a field lr_NAME per parameter group and weight_NAME per loss.

    renders: it renders rays; a method that does not only labels photographs, so that nobody asks it for
    colour or depth. targets: what it can learn to label. per_scene: every model represents the
    one scene on which it was trained. source_views: their default number, and the only one if
    fixed_source_views. fewest_source_views: their smallest number. separable: each source view is prepared
    without the others, so that it can be kept. map_stride: pixels between neighbouring entries of the label
    map. smallest_image: shortest side that can be rendered, in pixels. sees_target: it can compute the label
    map of a true image. label_sizes: the sizes that nothing depends on in a model without classes, whose
    weights therefore leave them open. optional_sizes: the sizes of parts that a model may lack, 0 if it does.
    addable_sizes: those of parts that start without effect, and can be added to weights without them.
    version: to be raised when the same options give other results, so that stored ones are no longer used.
    defaults: its own defaults of options that all methods share, such as
    {"num_rays": 1024}. depth_remedy: what a user without depth maps can do, if they are needed.
    """

    Sizes: ClassVar[type]
    Function: ClassVar[type]
    Recipe: ClassVar[type]
    renders: ClassVar[bool] = True
    targets: ClassVar[tuple[str, ...]] = (SEMANTIC, INSTANCE, NOTHING)
    per_scene: ClassVar[bool] = False
    source_views: ClassVar[int] = 10
    fixed_source_views: ClassVar[bool] = False
    fewest_source_views: ClassVar[int] = 1
    separable: ClassVar[bool] = True
    map_stride: ClassVar[int] = 1
    smallest_image: ClassVar[int] = 1
    sees_target: ClassVar[bool] = False
    label_sizes: ClassVar[tuple[str, ...]] = ()
    optional_sizes: ClassVar[tuple[str, ...]] = ()
    addable_sizes: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1
    defaults: ClassVar[Mapping[str, Any]] = {}
    depth_remedy: ClassVar[str] = "choose another --method"

    def __init__(self, sizes: Any, function: Any, recipe: Any) -> None:
        super().__init__()
        self.sizes, self.function, self.recipe = sizes, function, recipe

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def has_classes(self) -> bool:
        return self.sizes.classes > 0

    @property
    def paper_row(self) -> str:
        """The name of the method in the paper's tables."""
        return type(self).__name__

    @property
    def depth_losses(self) -> tuple[str, ...]:
        """The names of the losses that read the true depth of the target view."""
        return ()

    @property
    def needs_depth(self) -> bool:
        """Whether `prepare` needs the depth maps of the source views."""
        return False

    @property
    def trained_depth(self) -> str:
        """The weights of the losses that read true depth, in words; "no" if all are 0."""
        weights = {name: getattr(self.recipe, f"weight_{name}") for name in self.depth_losses}
        return ", ".join(f"{name} {one:g}" for name, one in weights.items() if one) or "no"

    @property
    def guided(self) -> bool:
        """Whether a coarse pass of neighbouring rays can guide the samples of a ray."""
        return False

    @classmethod
    def adopts_scene(cls, recipe: Any) -> bool:
        """Whether a model with this recipe takes over a scene before it trains, which it then represents."""
        return False

    @classmethod
    def of_one_scene(cls, recipe: Any) -> bool:
        """Whether a model with this recipe represents the one scene on which it is trained."""
        return cls.per_scene or cls.adopts_scene(recipe)

    def adopt_scene(self, sources: SourceViews, near: float, far: float) -> None:
        """Makes what represents a scene, of a few of its views, a part of the parameters and of the sizes.

        Training calls this once, on the CPU, before the optimiser is built.
        """
        raise NotImplementedError

    # Rendering

    def prepare(self, sources: SourceViews, near: float, far: float) -> Any:
        """Computes once what rendering needs of V source views, except their cameras."""
        raise NotImplementedError

    def join(self, parts: Sequence[Any]) -> Any:
        """Joins views that were prepared one by one, as if they had been prepared together (if separable)."""
        raise NotImplementedError

    def render_rays(
        self,
        prepared: Any,
        cameras: Camera,
        rays: Rays,
        semantics: bool,
        generator: torch.Generator | None = None,
        guide: Guide | None = None,
    ) -> list[RayPass]:
        """Renders R rays; returns all passes, the final one last.

        prepared: from `prepare` or `join`. cameras: of the V source views. semantics: the last pass also
        renders the entries of the label map. generator: draws random sample depths, for training. guide: from
        a coarse pass of neighbouring rays, which replaces that of the rays (if guided).
        """
        raise NotImplementedError

    def coarse_pass(
        self, prepared: Any, cameras: Camera, rays: Rays, generator: torch.Generator | None = None
    ) -> RayPass:
        """Renders only the first pass of R rays, to guide others (if guided)."""
        raise NotImplementedError

    def labels(self, label_map: Tensor, height: int, width: int) -> Labels:
        """Turns a label map [D, h, w] into the labels of a view of height x width.

        An output behind those of the classes stands for none of them.
        """
        confidence, classes = label_map.softmax(dim=0).max(dim=0)
        return Labels(torch.where(classes < self.sizes.classes, classes, IGNORE), confidence)

    def target_map(self, image: Tensor) -> Tensor:
        """The label map [D, h, w] of a true image [3, H, W]; for methods that look at it."""
        raise NotImplementedError

    def bytes_per_ray(self, views: int) -> int:
        """Size in bytes of the largest tensor of one ray with V source views; it decides the chunk size."""
        raise NotImplementedError

    def compiled_parts(self) -> Mapping[nn.Module, Sequence[str]]:
        """Functions that torch.compile makes faster, as attribute names by module."""
        return {}

    # Training

    def losses(self, example: Example, rays: int, generator: torch.Generator) -> StepLosses:
        """Computes the losses that an example allows, over about this number of rays.

        A loss is left out if the example lacks its truth, such as depth. All random numbers come from
        `generator` and from the global generator.
        """
        raise NotImplementedError

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """All trained parameters, by the NAME of their learning rate --lr_NAME."""
        raise NotImplementedError

    @property
    def loss_names(self) -> list[str]:
        """The names of all losses of the method."""
        return [
            one.name.removeprefix("weight_") for one in fields(self.recipe) if one.name.startswith("weight_")
        ]

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Eq. 8: the sum of the given losses, each times --weight_NAME."""
        return sum(getattr(self.recipe, f"weight_{name}") * loss for name, loss in losses.items())

    def backward(self, losses: Mapping[str, Tensor], share: float = 1.0) -> Tensor:
        """Adds `share` times the gradient of the total to the parameters' gradients; returns the total."""
        total = self.total(losses)
        (share * total).backward()
        return total.detach()

    def memory_remedy(self, rays: int, views: int) -> str:
        """Options of the method that reduce the memory of a step of this many rays; "" if there are none."""
        return ""

    def check_depth(self, scenes: Sequence[Scene]) -> None:
        """Raises DataError if the method needs depth maps of source views that some of the scenes lack."""
        for scene in scenes if self.needs_depth else ():
            if not scene.has("depth"):
                raise DataError(
                    f"{scene.name}: expected a depth map of every view, from which {self.paper_row} starts, "
                    f"found {scene.count('depth')} of {len(scene.views)}; add them, or {self.depth_remedy}."
                )

    @classmethod
    def check_size(cls, height: int | None, width: int | None) -> None:
        """Raises ConfigError if a side is too short; None: the side is not known yet."""
        least = cls.smallest_image
        if min(side for side in (height, width, least) if side is not None) < least:
            raise ConfigError(
                f"Expected --height and --width of at least {least} pixels, which the network needs, "
                f"found {height or 'none'} and {width or 'none'}; increase them."
            )
