"""Published GNT and GP-NeRF checkpoints: their tensors under our names, and the sizes that they imply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gpnerf.methods.gpnerf.model import COLORS
from gpnerf.methods.gpnerf.settings import Sizes
from gpnerf.system.errors import CheckpointError, ConfigError

# Regular expressions of published tensor names -> our names, by part of the file; the first full match
# counts.
TRANSFORMER_LAYER = {
    r"attn_norm\.(.*)": r"norm.\1",
    r"ff_norm\.(.*)": r"feed_forward.norm.\1",
    r"ff\.fc1\.(.*)": r"feed_forward.expand.\1",
    r"ff\.fc2\.(.*)": r"feed_forward.reduce.\1",
    r"attn\.q_fc\.(.*)": r"query.\1",
    r"attn\.k_fc\.(.*)": r"key.\1",
    r"attn\.v_fc\.(.*)": r"value.\1",
    r"attn\.pos_fc\.(.*)": r"position.\1",
    r"attn\.attn_fc\.(.*)": r"weigh.\1",
    r"attn\.out_fc\.(.*)": r"out.\1",
}
NAMES = {
    "net_coarse": {
        r"rgbfeat_fc\.(.*)": r"transformer.embed.\1",
        r"q_fcs\.(\d+)\.0\.(.*)": r"transformer.mixers.\1.mix.\2",
        r"q_fcs\.(\d+)\.2\.(.*)": r"transformer.mixers.\1.out.\2",
        r"norm\.(.*)": r"transformer.norm.\1",
        r"rgb_fc\.(.*)": r"transformer.color.\1",
        r"semantic_adaptor\.0\.(.*)": r"adaptor.linear.\1",
    },
    "feature_net": {
        r"((?:conv1|bn1|layer\d)\..*)": r"extractor.encoder.\1",
        r"upconv3\.conv\.conv\.(.*)": r"extractor.decoder.up_middle.conv.\1",
        r"upconv3\.conv\.bn\.(.*)": r"extractor.decoder.up_middle.norm.\1",
        r"iconv3\.conv\.(.*)": r"extractor.decoder.join_middle.conv.\1",
        r"iconv3\.bn\.(.*)": r"extractor.decoder.join_middle.norm.\1",
        r"upconv2\.conv\.conv\.(.*)": r"extractor.decoder.up_low.conv.\1",
        r"upconv2\.conv\.bn\.(.*)": r"extractor.decoder.up_low.norm.\1",
        r"iconv2\.conv\.(.*)": r"extractor.decoder.join_low.conv.\1",
        r"iconv2\.bn\.(.*)": r"extractor.decoder.join_low.norm.\1",
        r"out_conv\.(.*)": r"extractor.decoder.out.\1",
    },
    "feature_fpn": {
        r"lateral_convs\.(\d)\.conv\.(.*)": r"extractor.pyramid.fpn.inner_blocks.\1.0.\2",
        r"fpn_convs\.(\d)\.conv\.(.*)": r"extractor.pyramid.fpn.layer_blocks.\1.0.\2",
    },
    "sem_seg_head": {r"predictor\.(.*)": r"head.predictor.\1"},
}
# A GNT file may hold two networks; the coarse one is used.
COARSE, FINE = "net_coarse", "net_fine"
EMBED = "transformer.embed.0.weight"
FEATURES = ("extractor.decoder.out.weight", "extractor.decoder.out.bias")
# Sizes that must be at least 1.
COUNTS = ("encoder_width", "color_features", "transformer_width", "layers", "frequencies", "level_width")
LAYERS = {"view_crosstrans": "field_layers", "view_selftrans": "ray_layers"}


def our_name(part: str, name: str) -> str | None:
    """Our name of a tensor in a part of a published file; None for an unknown tensor."""
    name = name.removeprefix("module.")
    layer = re.fullmatch(r"(view_crosstrans|view_selftrans)\.(\d+)\.(.*)", name)
    if part == "net_coarse" and layer:
        inner = _translate(TRANSFORMER_LAYER, layer[3])
        return inner and f"transformer.{LAYERS[layer[1]]}.{layer[2]}.{inner}"
    block = re.fullmatch(r"scale_heads\.(\d)\.(\d)\.(norm\.)?(weight|bias)", name)
    if part == "sem_seg_head" and block:
        # Published branches count the enlargement after each convolution, which has no weights.
        return f"head.scale_heads.{block[1]}.{int(block[2]) // 2}.{1 if block[3] else 0}.{block[4]}"
    return _translate(NAMES[part], name)


def _translate(table: Mapping[str, str], name: str) -> str | None:
    for pattern, ours in table.items():
        match = re.fullmatch(pattern, name)
        if match:
            return match.expand(ours)
    return None


class Published(NamedTuple):
    """The content of a published file.

    tensors: by our names. theirs: our names -> names in the file. unused: parts of the file that are left
    out.
    """

    path: Path
    tensors: dict[str, Tensor]
    theirs: dict[str, str]
    unused: tuple[str, ...]


def read_published(path: Path) -> Published:
    """Reads a published .pth file; raises CheckpointError for any other file.

    Of a GNT file with two networks, only the coarse network and its feature channels are read; here this
    network renders both passes.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; name a published GNT or GP-NeRF .pth file.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # A foreign file can raise any exception.
        raise CheckpointError(
            f"{path} cannot be read as weights ({type(error).__name__}); it is truncated, not a PyTorch "
            "file, or would run code when loaded: get it again from its source."
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get(COARSE), dict):
        raise CheckpointError(
            f"{path} has no part {COARSE}; expected a GNT or GP-NeRF checkpoint with the parts "
            f"{', '.join(NAMES)}: name such a file."
        )
    tensors, theirs = _rename(path, content)
    if FINE in content:
        _keep_coarse_features(tensors)
    return Published(path, tensors, theirs, tuple(str(part) for part in content if part not in NAMES))


def _rename(path: Path, content: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors, theirs = {}, {}
    for part in NAMES:
        found = content.get(part, {})
        if not isinstance(found, Mapping):
            raise CheckpointError(f"{path}: {part} holds no tensors; name a file of GNT or GP-NeRF.")
        for name, tensor in found.items():
            ours = our_name(part, str(name))
            if ours is None or not isinstance(tensor, Tensor):
                raise CheckpointError(
                    f"{path}: {part}.{name} is not a tensor of GNT or GP-NeRF; name a file of theirs."
                )
            tensors[ours], theirs[ours] = tensor, f"{part}.{name}"
    return tensors, theirs


def _keep_coarse_features(tensors: dict[str, Tensor]) -> None:
    """Cuts off the feature channels that the coarse network does not read."""
    embed = tensors.get(EMBED)
    if embed is not None and embed.ndim == 2:
        for name in FEATURES:
            if name in tensors and tensors[name].ndim:
                tensors[name] = tensors[name][: embed.shape[1] - COLORS]


def implied_sizes(published: Published, heads: int = 4) -> Sizes:
    """The sizes that the published tensors imply; raises CheckpointError if no model has such sizes."""
    try:
        sizes = _sizes(published.tensors)
    except KeyError as error:
        raise CheckpointError(
            f"{published.path} lacks {error.args[0]}; expected a complete GNT or GP-NeRF checkpoint: get it "
            "again."
        ) from error
    except (ValueError, IndexError) as error:
        raise CheckpointError(
            f"{published.path} has tensors of other dimensions than GNT and GP-NeRF ({error}); name a file "
            "of theirs."
        ) from error
    impossible = [f"{name} {size}" for name, size in sizes.items() if name in COUNTS and size < 1]
    if impossible:
        raise CheckpointError(
            f"{published.path} has tensors that imply {', '.join(impossible)}; expected a complete GNT or "
            "GP-NeRF checkpoint: get it again."
        )
    try:
        return Sizes(**sizes, heads=heads)
    except ConfigError as error:
        raise CheckpointError(f"{published.path} has tensors of unsupported sizes: {error}") from error


def _sizes(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    width, inputs = tensors[EMBED].shape
    mixer = tensors["transformer.mixers.0.mix.weight"].shape[1]
    encoding = (mixer - width) // 2
    sizes = {
        "encoder_width": tensors["extractor.encoder.conv1.weight"].shape[0],
        "encoder_blocks": tuple(
            _count(tensors, rf"extractor\.encoder\.layer{n}\.(\d+)\.") for n in (1, 2, 3)
        ),
        "color_features": inputs - COLORS,
        "transformer_width": width,
        "layers": _count(tensors, r"transformer\.field_layers\.(\d+)\."),
        "frequencies": (encoding - 3) // 6,
    }
    if "extractor.pyramid.fpn.layer_blocks.0.0.weight" in tensors:
        sizes["level_width"] = tensors["extractor.pyramid.fpn.layer_blocks.0.0.weight"].shape[0]
    if "head.predictor.weight" in tensors:
        sizes |= {"classes": tensors["head.predictor.weight"].shape[0] - 1, "head": "published"}
    return sizes


def check_shapes(published: Published, model: nn.Module) -> None:
    """Raises CheckpointError for a tensor that does not fit a model of the implied sizes."""
    own = model.state_dict()
    foreign = [published.theirs[name] for name in published.tensors if name not in own]
    if foreign:
        raise CheckpointError(
            f"{published.path} has tensors that fit no part: {', '.join(foreign)}; name a file of GNT or "
            "GP-NeRF."
        )
    for name, tensor in published.tensors.items():
        if tensor.shape != own[name].shape:
            raise CheckpointError(
                f"{published.path}: expected {published.theirs[name]} of shape {list(own[name].shape)}, as "
                f"the sizes of the others imply, found {list(tensor.shape)}; the parts are from different "
                "trainings or of an unsupported variant: name another file."
            )


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    found = [int(match[1]) for name in tensors if (match := re.match(pattern, name))]
    return max(found, default=-1) + 1
