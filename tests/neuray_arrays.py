"""The golden arrays of NeuRay, Semantic-Ray and IBRNet in the project's terms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from helpers import channels_last, tensors, weights
from torch import Tensor

from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.rays import Rays
from gpnerf.networks.neuray.hit_probability import Hits
from gpnerf.networks.neuray.source_samples import SourceMaps, SourceSamples

ATTENTION = ((r"w_qs", "query"), (r"w_ks", "key"), (r"w_vs", "value"), (r"\.fc\.", ".out."))
AGGREGATION = (
    (r"^agg_impl\.", ""),
    (r"^ray_dir_fc", "direction"),
    (r"^base_fc", "base"),
    (r"^vis_fc2", "weight"),
    (r"^vis_fc", "visibility"),
    (r"^out_geometry_fc", "density"),
    (r"^geometry_fc", "geometry"),
    (r"^rgb_fc", "blend"),
    (r"^neuray_fc", "hit_weight"),
    (r"^prob_embed", "hit"),
    (r"^s$", "sharpness"),
    (r"^sem_rtrans_new", "labels.along_ray"),
    (r"^point_attention_new", "labels.across_views"),
    (r"^semantic_fc1_new", "labels.point"),
    (r"^semantic_fc2_new", "labels.out"),
    *ATTENTION,
    (r"layer_norm", "norm"),
)
DECODER = (
    (r"^mean_decoder", "means"),
    (r"^var_decoder", "scales"),
    (r"^aw_decoder", "share"),
    (r"^vis_decoder", "visible"),
)
UNET = (
    (r"^(conv1|bn1|layer)", r"encoder.\1"),
    (r"^upconv3\.conv", "decoder.up_middle"),
    (r"^iconv3", "decoder.join_middle"),
    (r"^upconv2\.conv", "decoder.up_low"),
    (r"^iconv2", "decoder.join_low"),
    (r"^out_conv", "decoder.out"),
    (r"(decoder.*)\.bn\.", r"\1.norm."),
)
VISIBILITY = (
    (r"^out_conv\.0", "enter"),
    (r"^out_conv\.1\.conv", "blocks.0.layers"),
    (r"^out_conv\.2\.conv", "blocks.1.layers"),
    (r"^out_conv\.3", "out"),
)
# Of the networks of a pass, by the prefix of their arrays.
FIELDS = {"coarse": "", "fine": "fine_"}


def part(arrays: dict[str, Tensor], prefix: str, names: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    """The weights of one network of the reference, under our names."""
    start = f"w/{prefix}"
    own = {f"w/{name[len(start) :]}": one for name, one in arrays.items() if name.startswith(start)}
    return weights(own, names)


def field_weights(arrays: dict[str, Tensor], one: str) -> dict[str, Tensor]:
    """The weights of the networks of the coarse or the fine pass."""
    prefix = FIELDS[one]
    hits, joined = (
        part(arrays, f"{prefix}dist_decoder.", DECODER),
        part(arrays, f"{prefix}agg_net.", AGGREGATION),
    )
    return {
        **{f"hits.{name}": tensor for name, tensor in hits.items()},
        **{f"aggregation.{name}": tensor for name, tensor in joined.items()},
    }


class Golden(NamedTuple):
    """A golden scene: its arrays, source views, and rays of the target."""

    arrays: dict[str, Tensor]
    cameras: Camera
    rays: Rays
    maps: SourceMaps

    @property
    def truth(self) -> Tensor:
        """True colours of the rays [R, 3]."""
        pixels = self.arrays["in/coords_xy"].long()
        return self.arrays["in/que_img"][0][:, pixels[:, 1], pixels[:, 0]].T


def golden_scene(arrays: dict[str, np.ndarray], ray_features: str) -> Golden:
    """The scene of neuray.npz or semantic_ray.npz; ray_features: name of their array."""
    arrays = tensors(arrays)
    images = arrays["in/ref_imgs"]
    size = images.shape[-2:]
    cameras = cameras_of(arrays["in/K"], arrays["in/ref_poses_w2c"], *size)
    target = cameras_of(arrays["in/K"], arrays["in/que_pose_w2c"][None], *size)[0]
    rays = Rays.through(arrays["in/coords_xy"], target, *arrays["in/depth_range"].tolist())
    maps = (channels_last(one) for one in (images, arrays["in/img_feats"], arrays[ray_features]))
    return Golden(arrays, cameras, rays, SourceMaps(*maps))


def cameras_of(intrinsics: Tensor, world_to_camera: Tensor, height: int, width: int) -> Camera:
    """Cameras of world-to-camera matrices [V, 3, 4]."""
    poses = torch.eye(4, dtype=torch.float64).repeat(len(world_to_camera), 1, 1)
    poses[:, :3] = world_to_camera
    return Camera(intrinsics.expand(len(poses), 3, 3), torch.linalg.inv(poses), height, width)


def golden_samples(arrays: dict[str, Tensor], which: str) -> tuple[SourceSamples, Hits]:
    """What the views show of the coarse samples; `which` is "coarse", or "blind" with other visible views."""
    middle = {
        name: arrays[f"mid/coarse/prj_{name}"] for name in ("rgb", "img_feats", "ray_feats", "depth", "dir")
    }
    seen, visibility, probability = (
        arrays[f"mid/{which}/prj_{name}"][..., 0] for name in ("mask", "vis", "hit_prob")
    )
    difference = middle["dir"] - arrays["mid/coarse/que_dir"]
    cosine = (middle["dir"] * arrays["mid/coarse/que_dir"]).sum(dim=-1, keepdim=True)
    return SourceSamples(
        seen > 0,
        middle["rgb"],
        middle["img_feats"],
        middle["ray_feats"],
        middle["depth"][..., 0],
        torch.cat([difference, cosine], dim=-1),
    ), Hits(visibility, probability)
