"""Published GNT and GP-NeRF checkpoints in our terms: their tensor names, and the sizes they imply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gpnerf.errors import CheckpointError
from gpnerf.models.build import COLORS, Architecture

# Parts of a published file -> regular expressions of their tensor names -> ours; the first full match counts.
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
LAYERS = {"view_crosstrans": "field_layers", "view_selftrans": "ray_layers"}


def our_name(part: str, name: str) -> str | None:
    """The name in our model of a tensor of a published part, or None if there is no such tensor."""
    name = name.removeprefix("module.")
    layer = re.fullmatch(r"(view_crosstrans|view_selftrans)\.(\d+)\.(.*)", name)
    if part == "net_coarse" and layer:
        inner = _translate(TRANSFORMER_LAYER, layer[3])
        return inner and f"transformer.{LAYERS[layer[1]]}.{layer[2]}.{inner}"
    block = re.fullmatch(r"scale_heads\.(\d)\.(\d)\.(norm\.)?(weight|bias)", name)
    if part == "sem_seg_head" and block:
        # Between two convolutions of a branch stands one enlargement, which has no weights.
        return f"head.scale_heads.{block[1]}.{int(block[2]) // 2}.{1 if block[3] else 0}.{block[4]}"
    return _translate(NAMES[part], name)


def _translate(table: Mapping[str, str], name: str) -> str | None:
    for pattern, ours in table.items():
        match = re.fullmatch(pattern, name)
        if match:
            return match.expand(ours)
    return None


def read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a published .pth by our names. Raises CheckpointError for any other file."""
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; name a published GNT or GP-NeRF .pth file.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # Foreign bytes raise whatever they happen to look like.
        raise CheckpointError(
            f"{path} cannot be read as weights ({type(error).__name__}); it is truncated, not a PyTorch "
            "file, or would run code when loaded: get it again from its source."
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("net_coarse"), dict):
        raise CheckpointError(
            f"{path} has no part net_coarse; expected a GNT or GP-NeRF checkpoint with "
            f"{', '.join(NAMES)}: name such a file."
        )
    return _rename(path, content)


def _rename(path: Path, content: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    tensors = {}
    for part in NAMES:
        for name, tensor in content.get(part, {}).items():
            ours = our_name(part, name)
            if ours is None or not isinstance(tensor, Tensor):
                raise CheckpointError(
                    f"{path}: {part}.{name} is not a tensor of GNT or GP-NeRF; name a file of theirs."
                )
            tensors[ours] = tensor
    return tensors


def implied_architecture(path: Path, tensors: Mapping[str, Tensor], heads: int = 4) -> Architecture:
    """The sizes that published tensors have. Raises CheckpointError where essential ones are missing."""
    try:
        width, inputs = tensors["transformer.embed.0.weight"].shape
        mixer = tensors["transformer.mixers.0.mix.weight"].shape[1]
        stem = tensors["extractor.encoder.conv1.weight"].shape[0]
    except KeyError as error:
        raise CheckpointError(
            f"{path} lacks {error.args[0]}; expected a complete GNT or GP-NeRF checkpoint: get it again."
        ) from error
    encoding = (mixer - width) // 2
    sizes = {
        "encoder_width": stem,
        "encoder_blocks": tuple(
            _count(tensors, rf"extractor\.encoder\.layer{n}\.(\d+)\.") for n in (1, 2, 3)
        ),
        "color_features": inputs - COLORS,
        "transformer_width": width,
        "layers": _count(tensors, r"transformer\.field_layers\.(\d+)\."),
        "heads": heads,
        "frequencies": (encoding - 3) // 6,
    }
    if "extractor.pyramid.fpn.layer_blocks.0.0.weight" in tensors:
        sizes["level_width"] = tensors["extractor.pyramid.fpn.layer_blocks.0.0.weight"].shape[0]
    if "head.predictor.weight" in tensors:
        sizes |= {"classes": tensors["head.predictor.weight"].shape[0] - 1, "head": "published"}
    return Architecture(**sizes)


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    found = [int(match[1]) for name in tensors if (match := re.match(pattern, name))]
    return max(found, default=-1) + 1
