"""GP-NeRF: colour, depth, labels and instances of novel views, rendered from a few photographs.

    model = gpnerf.load("out/rooms")
    view = model.render(images, cameras, target_camera, near, far)

Names load on first use (PEP 562), so that a program that only reads data sets imports no network.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpnerf.api import Model, load, open_scene
    from gpnerf.geometry.cameras import Camera

__all__ = ["Camera", "Model", "load", "open_scene"]
_HOMES = {"Camera": "geometry.cameras", "Model": "api", "load": "api", "open_scene": "api"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
