"""The head of the released code, against an array of it; the linear head; both through the builder."""

from __future__ import annotations

import pytest
import torch
from helpers import tiny_model

from gpnerf.datasets.labels import IGNORE
from gpnerf.methods.gpnerf.heads import build_head
from gpnerf.methods.gpnerf.perception_head import LinearHead
from gpnerf.methods.gpnerf.settings import Sizes
from gpnerf.networks.semantic_fpn import SemanticFPNHead
from gpnerf.system.errors import ConfigError


def our_names(golden_weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """scale_heads.i.2j.{weight, norm.*} -> scale_heads.i.j.{0, 1}.*: only every second module had weights."""
    renamed = {}
    for name, tensor in golden_weights.items():
        if name.startswith("scale_heads"):
            _, level, block, *rest = name.split(".")
            part = f"1.{rest[1]}" if rest[0] == "norm" else f"0.{rest[0]}"
            name = f"scale_heads.{level}.{int(block) // 2}.{part}"
        renamed[name] = tensor
    return renamed


def test_logits_equal_the_released_code(golden):
    arrays = {name: torch.from_numpy(array) for name, array in golden("head").items()}
    head = SemanticFPNHead(128, 20)
    head.load_state_dict(our_names({n[2:]: a for n, a in arrays.items() if n.startswith("w/")}))
    with torch.no_grad():
        logits = head(arrays["in/feat"], 32, 48)
    torch.testing.assert_close(logits, arrays["out/logits"], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("height, width", [(97, 131), (33, 40)])
def test_any_image_size_and_one_output_more_than_classes(height: int, width: int):
    features = torch.randn(1, 128, (height + 1) // 2, (width + 1) // 2)
    assert SemanticFPNHead(32, 5)(features, height, width).shape == (1, 6, height, width)


def test_unlabelled_output_is_ignored_in_label_images():
    model = tiny_model(classes=3)
    model.head = SemanticFPNHead(32, 3)
    torch.nn.init.zeros_(model.head.predictor.weight)
    model.head.predictor.bias.data = torch.tensor([0.0, 1.0, 0.0, 2.0])
    assert (model.labels(torch.randn(128, 16, 16), 32, 32)[0] == IGNORE).all()
    model.head.predictor.bias.data[1] = 3.0
    assert (model.labels(torch.randn(128, 16, 16), 32, 32)[0] == 1).all()


def test_linear_head_sees_one_cell_only():
    head = LinearHead(8, 4)
    features = torch.randn(1, 8, 6, 6)
    changed = features.clone()
    changed[..., 3, 3] += 1.0
    # Cell (3, 3) lies at pixel (6, 6); bilinear interpolation spreads it over one pixel around.
    differs = (head(features, 12, 12) != head(changed, 12, 12)).any(dim=1)[0].nonzero()
    assert differs.min() >= 5 and differs.max() <= 7


def test_builder_refuses_a_width_that_the_published_groups_do_not_divide():
    with pytest.raises(ConfigError, match="--level_width"):
        Sizes(classes=3, head="published", level_width=48, transformer_width=64)
    assert isinstance(build_head(Sizes(classes=3, head="published")), SemanticFPNHead)
    assert isinstance(build_head(Sizes(classes=3, head="linear")), LinearHead)
