"""Both transformers in turn: co-aggregation and joint rendering of the two fields (Sec. 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpnerf.geometry.cameras import full_precision
from gpnerf.methods.gpnerf.field_transformer import FieldAggregationLayer, Merged, merge, with_room
from gpnerf.methods.gpnerf.linear import of_views
from gpnerf.methods.gpnerf.ray_transformer import RayAggregationLayer


@dataclass(frozen=True)
class RayAttention:
    """What the transformers found for R rays.

    ray_weights [R, S], the row of the last layer's A_RAT by which samples are added, as published; and None
    where they are not asked for: color [R, 3]; depth_weights [R, S], the mean of A_RAT over layers, heads and
    rows, which render the depth (both weights sum to 1); field_weights [V, R, S, C], the sum over the layers
    of A_FAT; joint_weights [V, R, S, C], the sum over the layers of A_FAT times the mean row of A_RAT.
    """

    ray_weights: Tensor
    color: Tensor | None = None
    depth_weights: Tensor | None = None
    field_weights: Tensor | None = None
    joint_weights: Tensor | None = None


class Samples(NamedTuple):
    """What is known of the samples of R rays one by one, before their rays are looked at as a whole.

    views, the embedded features of the views from with_room; difference [V, R, S, 4]; unseen bool
    [V, R, S, 1]; encoded points [R, S, E]; and of the first field layer the features [R, S, C] and A_FAT
    [V, R, S, C], None where it is not asked for.
    """

    views: Tensor
    difference: Tensor
    unseen: Tensor
    points: Tensor
    features: Tensor
    weights: Tensor | None

    def joined(self, others: Samples) -> Samples:
        """These samples, and then others of the same rays."""
        pairs = zip(self, others, strict=True)
        return Samples(*(None if one is None else torch.cat([one, other], dim=-2) for one, other in pairs))


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
    features are touched once for all layers (methods/gpnerf/semantic_field.py).
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

    def merged(self) -> list[Merged]:
        """What the field layers multiply by, for begin and forward: once for all samples."""
        return merge(self.field_layers)

    def begin(
        self,
        view_features: Tensor,
        difference: Tensor,
        seen: Tensor,
        points: Tensor,
        merged: Merged,
        weights: bool,
    ) -> Samples:
        """Up to the first field layer, which sees every sample by itself: whatever other samples their rays
        get, this stays as it is.

        view_features [V, R, S, 3+F], difference [V, R, S, 4], seen bool [V, R, S], points [R, S, 3]; merged:
        of the first layer. weights: keep A_FAT, which semantics need.
        """
        first, _, second = self.embed
        hidden = F.relu_(of_views(view_features, first.weight, first.bias))
        views = of_views(hidden, second.weight, second.bias)
        # The sum of all layers' contributions stays in full precision.
        query = views.amax(dim=0).float()
        views, difference, unseen = with_room(views), difference.to(views.dtype), ~seen[..., None]
        features, kept = self.aggregate_views(
            self.field_layers[0], query, views, difference, unseen, merged, weights
        )
        encoded = frequency_encoding(points, self.frequencies)
        return Samples(views, difference, unseen, encoded, features, kept)

    def forward(
        self,
        samples: Samples,
        directions: Tensor,
        merged: Sequence[Merged],
        semantics: bool,
        point_semantics: bool = False,
        color: bool = True,
    ) -> RayAttention:
        """samples: all of a ray, in any order but with the nearest one first, whose row of A_RAT gives
        ray_weights; directions [R, 3] of any length; merged: of all layers. semantics: also return the
        weights that render the semantic field; point_semantics: and those that aggregate it at every point.
        Without a gradient, semantics take the place of samples.weights, which must be there for both.
        color=False: only ray_weights, which finer samples need."""
        asked = semantics or point_semantics
        directions = frequency_encoding(F.normalize(directions, dim=-1), self.frequencies)
        features, weights = samples.features, samples.weights
        depth_weights, joint_weights, field_weights = 0.0, None, None
        for number, (field, ray) in enumerate(zip(self.field_layers, self.ray_layers, strict=True)):
            if number > 0:
                features, weights = self.aggregate_views(
                    field,
                    features,
                    samples.views,
                    samples.difference,
                    samples.unseen,
                    merged[number],
                    asked,
                )
            mixer = self.mixers[str(number)] if number % 2 == 0 else None
            used = color or number < len(self.ray_layers) - 1
            features, first_row, mean_row = self.aggregate_ray(
                mixer, ray, features, samples.points, directions, used, color
            )
            if not color:
                continue
            depth_weights = depth_weights + mean_row.detach().float().mean(dim=1)
            if asked and not self.joint_attention:
                weights, mean_row = weights.detach(), mean_row.detach()
            if point_semantics:
                field_weights = weights.float().clone() if number == 0 else field_weights.add_(weights)
            if semantics:
                joint_weights = self.add_joint(joint_weights, weights, mean_row)
            # Before the next layer's are made: they are as large as anything here.
            del weights
        ray_weights = first_row.mean(dim=1)
        if not color:
            return RayAttention(ray_weights)
        with full_precision(features.device):
            rendered = self.color(self.norm(features).mean(dim=1))
        depth_weights = depth_weights / len(self.ray_layers)
        return RayAttention(ray_weights, rendered, depth_weights, field_weights, joint_weights)

    def aggregate_views(
        self,
        field: FieldAggregationLayer,
        features: Tensor,
        views: Tensor,
        difference: Tensor,
        unseen: Tensor,
        merged: Merged,
        asked: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """A field layer: new features [R, S, C], and A_FAT [V, R, S, C] if asked for. compilation.py compiles
        this and the next two."""
        features, weights = field(features, views, difference, unseen, merged)
        return features, weights if asked else None

    def aggregate_ray(
        self,
        mixer: PositionMixer | None,
        ray: RayAggregationLayer,
        features: Tensor,
        points: Tensor,
        directions: Tensor,
        used: bool,
        mean: bool,
    ) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """A ray layer: new features [R, S, C] if they are used, and of A_RAT the first row and, if asked for,
        the mean one [R, heads, S]. A compiler leaves out what is not returned."""
        if mixer is not None:
            features = mixer(features, points, directions).float()
        features, first_row, mean_row = ray(features)
        return features if used else None, first_row, mean_row if mean else None

    def add_joint(self, total: Tensor | None, weights: Tensor, mean_row: Tensor) -> Tensor:
        """Adds one layer's joint weights to their total, in place. The first total takes the place of the
        layer's own weights, but for the gradient, which still needs them."""
        row = self._per_channel(mean_row)
        if total is not None:
            return total.addcmul_(weights, row)
        weights = weights.float()
        return weights * row if torch.is_grad_enabled() else weights.mul_(row)

    def _per_channel(self, mean_row: Tensor) -> Tensor:
        """mean_s of A_RAT [R, heads, S] for each weight channel, [R, S, C]; head h owns C / heads of them."""
        return mean_row.transpose(1, 2).repeat_interleave(self.width // self.heads, dim=-1)
