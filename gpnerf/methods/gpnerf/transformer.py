"""The two transformers, alternating: co-aggregation and joint rendering of the two fields (Sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.geometry.cameras import full_precision
from gpnerf.methods.gpnerf.field_transformer import FieldAggregationLayer, Merged, merge
from gpnerf.methods.gpnerf.linear import of_views
from gpnerf.methods.gpnerf.ray_transformer import RayAggregationLayer
from gpnerf.networks.encoding import encoding_width, frequency_encoding


@dataclass(frozen=True)
class RayAttention:
    """The outputs of the transformers for R rays.

    color: [R, 3]. ray_weights: [R, S], the first row of A_RAT in the last layer, mean over heads; it guides
    the fine samples, as published. depth_weights: [R, S], the mean of A_RAT over layers, heads and rows; it
    renders the depth. Both weights sum to 1. field_weights: [V, R, S, C], the sum of A_FAT over the layers.
    joint_weights: [V, R, S, C], the sum over the layers of A_FAT times the mean row of A_RAT. The last two
    are None unless requested.
    """

    color: Tensor
    ray_weights: Tensor
    depth_weights: Tensor
    field_weights: Tensor | None = None
    joint_weights: Tensor | None = None


class Surroundings(NamedTuple):
    """The inputs that all layers share for R rays.

    views: [V, R, S, C], embedded features. difference: [V, R, S, 4], of directions. unseen: bool
    [V, R, S, 1]. points: [R, S, E], encoded. directions: [R, E], encoded.
    """

    views: Tensor
    difference: Tensor
    unseen: Tensor
    points: Tensor
    directions: Tensor


class PositionMixer(nn.Module):
    """An MLP of [feature, encoded point, encoded direction], before every even ray layer.

    The first product is split by input, so that the part of the direction is computed once per ray.
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
    """FAT and RAT, alternating `layers` times on the radiance field; their weights serve both fields.

    Semantic features Phi do not pass through the layers. Let a_l be the view weights of layer l and A_l its
    ray attention. The published rendering  sum_l mean_s sum_t A_l[s, t] sum_v a_l[t, v] Phi[t, v]  equals
    sum_{t, v} W[t, v] Phi[t, v]  with the joint weights  W = sum_l (mean_s A_l[s, .]) a_l.  The D-wide
    features are therefore read once instead of once per layer (methods/gpnerf/semantic_field.py).
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
        encoding = encoding_width(frequencies)
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
        semantics: bool = False,
        point_semantics: bool = False,
    ) -> RayAttention:
        """view_features [V, R, S, 3+F], difference [V, R, S, 4], seen bool [V, R, S], points [R, S, 3],
        directions [R, 3] of any length.

        semantics: also returns the weights that render the semantic field. point_semantics: also returns the
        weights that aggregate it at every point.
        """
        views = self.embed_views(view_features)
        around = Surroundings(
            views,
            difference.to(views.dtype),
            ~seen[..., None],
            frequency_encoding(points, self.frequencies),
            frequency_encoding(F.normalize(directions, dim=-1), self.frequencies),
        )
        # The residual sum over the layers stays in full precision.
        features = views.amax(dim=0).float()
        depth_weights = points.new_zeros(points.shape[:2])
        joint_weights, field_weights = (
            torch.zeros_like(views, dtype=torch.float32) if wanted else None
            for wanted in (semantics, point_semantics)
        )
        for number, merged in enumerate(merge(self.field_layers)):
            field, ray = self.field_layers[number], self.ray_layers[number]
            mixer = self.mixers[str(number)] if number % 2 == 0 else None
            features, weights, first_row, mean_row = self.layer(field, merged, mixer, ray, features, around)
            depth_weights = depth_weights + mean_row.float().mean(dim=1)
            if not self.joint_attention:
                weights, mean_row = weights.detach(), mean_row.detach()
            # In place, because these sums are the largest tensors of a pass with semantics.
            if field_weights is not None:
                field_weights.add_(weights)
            if joint_weights is not None:
                joint_weights.addcmul_(weights, self._per_channel(mean_row))
        with full_precision(features.device):
            color = self.color(self.norm(features).mean(dim=1))
        depth_weights = depth_weights / len(self.ray_layers)
        return RayAttention(color, first_row.mean(dim=1), depth_weights, field_weights, joint_weights)

    def embed_views(self, view_features: Tensor) -> Tensor:
        """Embeds the features of the views: [V, R, S, 3+F] -> [V, R, S, C]."""
        first, _, second = self.embed
        hidden = F.relu(of_views(view_features, first.weight, first.bias))
        return of_views(hidden, second.weight, second.bias)

    def layer(
        self,
        field: FieldAggregationLayer,
        merged: Merged,
        mixer: PositionMixer | None,
        ray: RayAggregationLayer,
        features: Tensor,
        around: Surroundings,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Applies one layer of both transformers to features [R, S, C].

        Returns the new features, A_FAT [V, R, S, C], and the first and the mean row of A_RAT [R, heads, S].
        """
        features, weights = field(features, around.views, around.difference, around.unseen, merged)
        if mixer is not None:
            features = mixer(features, around.points, around.directions).float()
        features, first_row, mean_row = ray(features)
        return features, weights, first_row, mean_row

    def _per_channel(self, mean_row: Tensor) -> Tensor:
        """Repeats the mean row of A_RAT [R, heads, S] for the C / heads channels of each head: [R, S, C]."""
        return mean_row.transpose(1, 2).repeat_interleave(self.width // self.heads, dim=-1)
