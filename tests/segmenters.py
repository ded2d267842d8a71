"""Tiny segmentation models of transformers on disk, which tell classes by their colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Colour of the wall, the floor and the chair in the photographs of these tests.
COLORS = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200]], np.uint8)
SIZE = 16


def painted(truth: np.ndarray, seed: int = 0) -> np.ndarray:
    """The photograph of labels [H, W] below 3, uint8 [H, W, 3], a little noisy."""
    noise = np.random.default_rng(seed).integers(-20, 20, (*truth.shape, 3))
    return np.clip(COLORS[truth].astype(int) + noise, 0, 255).astype(np.uint8)


def examples(count: int = 8) -> tuple[Tensor, Tensor]:
    """Photographs [N, 3, SIZE, SIZE], normalised as the processor does, and their labels [N, SIZE, SIZE]."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (count, SIZE // 8, SIZE // 8)).repeat(8, axis=1).repeat(8, axis=2)
    images = torch.from_numpy(np.stack([painted(one, seed) for seed, one in enumerate(truth)]))
    return (images.permute(0, 3, 1, 2) / 255.0 - 0.5) / 0.5, torch.from_numpy(truth)


def save_semantic(folder: Path, names: Sequence[str], steps: int = 60) -> Path:
    """Trains a SegFormer of 6,000 weights to tell COLORS apart, and writes it with its processor."""
    import transformers

    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[3, 3],
        strides=[1, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16,
        classifier_dropout_prob=0.0, drop_path_rate=0.0, id2label=dict(enumerate(names)),
    )  # fmt: skip
    model = transformers.SegformerForSemanticSegmentation(config)
    images, truth = examples()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        logits = F.interpolate(model(images).logits, truth.shape[1:], mode="bilinear")
        F.cross_entropy(logits, truth).backward()
        optimizer.step()
    return _save(folder, model, transformers.SegformerImageProcessor, {"height": SIZE, "width": SIZE})


def save_queries(folder: Path, names: Sequence[str]) -> Path:
    """Writes an untrained MaskFormer of 150,000 weights with its processor."""
    import transformers

    torch.manual_seed(0)
    config = transformers.MaskFormerConfig(
        fpn_feature_size=32,
        mask_feature_size=32,
        id2label=dict(enumerate(names)),
        backbone_config=transformers.SwinConfig(
            image_size=32, patch_size=2, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2],
            window_size=2, out_features=["stage1", "stage2", "stage3", "stage4"],
        ),
        decoder_config=transformers.DetrConfig(
            d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, num_queries=5,
            decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
        ),
    )  # fmt: skip
    model = transformers.MaskFormerForInstanceSegmentation(config)
    return _save(
        folder, model, transformers.MaskFormerImageProcessor, {"shortest_edge": 32, "longest_edge": 64}
    )


def _save(folder: Path, model: torch.nn.Module, processor: type, size: dict[str, int]) -> Path:
    model.save_pretrained(folder)
    processor(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder)
    return folder
