"""Both transformers in turn: co-aggregation and joint rendering of the two fields (Sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.cameras import full_precision
from gpnerf.models.field_transformer import FieldAggregationLayer
from gpnerf.models.ray_transformer import RayAggregationLayer


@dataclass(frozen=True)
class RayAttention:
    """What the transformers found for R rays.

    color [R, 3]; ray_weights [R, S], the row of the last layer's A_RAT by which samples are added, as
    published; depth_weights [R, S], the mean of A_RAT over layers, heads and rows, which render the depth;
    both sum to 1. field_weights [V, R, S, C], the sum over the layers of A_FAT; joint_weights [V, R, S, C],
    the sum over the layers of A_FAT times the mean row of A_RAT; None where they are not asked for.
    """

    color: Tensor
    ray_weights: Tensor
    depth_weights: Tensor
    field_weights: Tensor | None = None
    joint_weights: Tensor | None = None


class Surroundings(NamedTuple):
    """What every layer sees of R rays: the embedded features of the views [V, R, S, C], difference
    [V, R, S, 4], unseen bool [V, R, S, 1], encoded points [R, S, E] and directions [R, E]."""

    views: Tensor
    difference: Tensor
    unseen: Tensor
    points: Tensor
    directions: Tensor


class Sums(NamedTuple):
    """Over the layers so far, added to in place: depth_weights [R, S], joint_weights and field_weights
    [V, R, S, C] or None."""

    depth_weights: Tensor
    joint_weights: Tensor | None
    field_weights: Tensor | None


def frequency_encoding(values: Tensor, frequencies: int) -> Tensor:
    """[x, sin(2^0 x), cos(2^0 x), ..., sin(2^(F-1) x), cos(2^(F-1) x)]: [..., 3] -> [..., 3 + 6 F]."""
    scales = 2.0 ** torch.arange(frequencies, device=values.device)
    angles = values[..., None, :] * scales[:, None]
    waves = torch.stack([angles.sin(), angles.cos()], dim=-2)
    return torch.cat([values, waves.flatten(start_dim=-3)], dim=-1)


class PositionMixer(nn.Module):
    """An MLP of [feature, encoded point, encoded direction], in front of the even ray layers.

    The first product is split by input, so that the direction's part is formed once per ray.
    """

    def __init__(self, width: int, encoding: int):
        super().__init__()
        self.width, self.encoding = width, encoding
        self.mix = nn.Linear(width + 2 * encoding, width)
        self.out = nn.Linear(width, width)

    def forward(self, features: Tensor, points: Tensor, directions: Tensor) -> Tensor:
        """features [R, S, C], points [R, S, E], directions [R, E] -> [R, S, C]."""
        by_feature, by_point, by_direction = self.mix.weight.split(
            [self.width, self.encoding, self.encoding], dim=1
        )
        hidden = F.linear(features, by_feature) + F.linear(points, by_point)
        hidden = hidden + F.linear(directions, by_direction, self.mix.bias)[:, None]
        return self.out(F.relu(hidden))


class JointTransformer(nn.Module):
    """FAT and RAT alternating `layers` times on the radiance field; their weights serve both fields.

    The semantic features never pass through here. With a_l the view weights of layer l and A_l its ray
    attention, the published rendering is  sum_l mean_s sum_t A_l[s, t] sum_v a_l[t, v] Phi[t, v],  which is
    sum_{t, v} W[t, v] Phi[t, v]  with the joint weights  W = sum_l (mean_s A_l[s, .]) a_l.  So the D-wide
    features are touched once for all layers (models/semantic_field.py).
    """

    def __init__(
        self,
        input_width: int,
        width: int,
        layers: int,
        heads: int,
        frequencies: int,
        dropout: float,
        joint_attention: bool = True,
    ):
        """joint_attention=False stops semantic gradients at the attention weights (Table 4, ID 1)."""
        super().__init__()
        self.width, self.heads, self.frequencies = width, heads, frequencies
        self.joint_attention = joint_attention
        self.embed = nn.Sequential(nn.Linear(input_width, width), nn.ReLU(), nn.Linear(width, width))
        self.field_layers = nn.ModuleList(FieldAggregationLayer(width, dropout) for _ in range(layers))
        self.ray_layers = nn.ModuleList(RayAggregationLayer(width, heads, dropout) for _ in range(layers))
        encoding = 3 + 6 * frequencies
        self.mixers = nn.ModuleDict(
            {str(layer): PositionMixer(width, encoding) for layer in range(0, layers, 2)}
        )
        self.norm = nn.LayerNorm(width)
        self.color = nn.Linear(width, 3)

    def forward(
        self,
        view_features: Tensor,
        difference: Tensor,
        seen: Tensor,
        points: Tensor,
        directions: Tensor,
        semantics: bool,
        point_semantics: bool = False,
    ) -> RayAttention:
        """view_features [V, R, S, 3+F], difference [V, R, S, 4], seen bool [V, R, S], points [R, S, 3],
        directions [R, 3] of any length. semantics: also return the weights that render the semantic field;
        point_semantics: and those that aggregate it at every point."""
        views = self.embed(view_features)
        # The sum of all layers' contributions stays in full precision.
        features = views.amax(dim=0).float()
        around = Surroundings(
            views,
            difference.to(views.dtype),
            ~seen[..., None],
            frequency_encoding(points, self.frequencies),
            frequency_encoding(F.normalize(directions, dim=-1), self.frequencies),
        )
        sums = Sums(
            points.new_zeros(points.shape[:2]),
            torch.zeros_like(views, dtype=torch.float32) if semantics else None,
            torch.zeros_like(views, dtype=torch.float32) if point_semantics else None,
        )
        for number in range(len(self.field_layers)):
            features, first_row = self._advance(number, features, around, sums)
        with full_precision(features.device):
            color = self.color(self.norm(features).mean(dim=1))
        depth_weights = sums.depth_weights / len(self.ray_layers)
        return RayAttention(
            color, first_row.mean(dim=1), depth_weights, sums.field_weights, sums.joint_weights
        )

    def _advance(
        self, number: int, features: Tensor, around: Surroundings, sums: Sums
    ) -> tuple[Tensor, Tensor]:
        """Layer `number`: adds its part to `sums`; returns features and the first row of A_RAT."""
        mixer = self.mixers[str(number)] if number % 2 == 0 else None
        asked = sums.joint_weights is not None or sums.field_weights is not None
        features, weights, first_row, mean_row = self.layer(
            self.field_layers[number], mixer, self.ray_layers[number], features, around, asked
        )
        sums.depth_weights.add_(mean_row.detach().mean(dim=1))
        if not self.joint_attention and asked:
            weights, mean_row = weights.detach(), mean_row.detach()
        if sums.joint_weights is not None:
            sums.joint_weights.addcmul_(weights, self._per_channel(mean_row))
        if sums.field_weights is not None:
            sums.field_weights.add_(weights)
        return features, first_row

    def layer(
        self,
        field: FieldAggregationLayer,
        mixer: PositionMixer | None,
        ray: RayAggregationLayer,
        features: Tensor,
        around: Surroundings,
        asked: bool,
    ) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """One layer of both transformers: features [R, S, C] -> new ones; A_FAT [V, R, S, C] if asked for;
        the first and the mean row of A_RAT [R, heads, S]. What compilation.py compiles."""
        features, weights = field(features, around.views, around.difference, around.unseen)
        if mixer is not None:
            features = mixer(features, around.points, around.directions).float()
        features, first_row, mean_row = ray(features)
        return features, weights if asked else None, first_row, mean_row

    def _per_channel(self, mean_row: Tensor) -> Tensor:
        """mean_s of A_RAT [R, heads, S] for each weight channel, [R, S, C]; head h owns C / heads of them."""
        return mean_row.transpose(1, 2).repeat_interleave(self.width // self.heads, dim=-1)
