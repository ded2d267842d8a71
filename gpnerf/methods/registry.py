"""The methods by name; a new method adds one line here."""

from __future__ import annotations

from gpnerf.methods.dm_nerf.model import DMNeRF
from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.methods.mask_rcnn.model import MaskRCNN
from gpnerf.methods.method import Method
from gpnerf.methods.mvsnerf.model import MVSNeRF
from gpnerf.methods.neuray.model import NeuRay
from gpnerf.methods.semantic_fpn.model import SemanticFPN
from gpnerf.methods.semantic_nerf.model import SemanticNeRF
from gpnerf.methods.semantic_ray.model import SemanticRay
from gpnerf.methods.swin_t.model import SwinT
from gpnerf.system.errors import ConfigError

METHODS: dict[str, type[Method]] = {
    "gpnerf": GPNeRF,
    "semantic_nerf": SemanticNeRF,
    "dm_nerf": DMNeRF,
    "mvsnerf": MVSNeRF,
    "neuray": NeuRay,
    "semantic_ray": SemanticRay,
    "semantic_fpn": SemanticFPN,
    "mask_rcnn": MaskRCNN,
    "swin_t": SwinT,
}


def method_class(name: str) -> type[Method]:
    """The method of a name; raises ConfigError for an unknown name."""
    if name not in METHODS:
        raise ConfigError(
            f"Expected one of the methods {', '.join(sorted(METHODS))}, found {name!r}; correct --method."
        )
    return METHODS[name]
