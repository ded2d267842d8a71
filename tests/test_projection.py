"""What source views show of a point: interpolation, visibility, directions; by hand and by the reference."""

import torch
import torch.nn.functional as F
from helpers import assert_golden, camera_at, channels_last, golden_camera, tensors

from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.geometry.projection import direction_difference, interpolate, project, visible


def test_interpolating_at_whole_pixels_gives_the_cells():
    maps = torch.randn(2, 5, 7, 3)
    pixels = pixel_grid(5, 7).float().expand(2, -1, -1)
    assert torch.equal(interpolate(maps, pixels, 5, 7), maps.reshape(2, 35, 3))


def test_corners_of_image_and_map_coincide_whatever_the_maps_size():
    maps = torch.randn(1, 3, 4, 2)
    corners = torch.tensor([[0.0, 0.0], [31.0, 0.0], [0.0, 23.0], [31.0, 23.0]])[None]
    found = interpolate(maps, corners, 24, 32)[0]
    torch.testing.assert_close(found, torch.stack([maps[0, i, j] for i in (0, 2) for j in (0, 3)]))


def test_interpolation_by_hand():
    maps = torch.tensor([[[1.0, 3.0], [5.0, 11.0]]])[..., None]
    pixels = torch.tensor([[0.5, 0.0], [0.0, 0.25], [0.5, 0.5]])[None]
    assert interpolate(maps, pixels, 2, 2)[0, :, 0].tolist() == [2.0, 2.0, 5.0]


def test_outside_there_are_zeros_that_blend_in_over_one_cell():
    maps = torch.full((1, 4, 6, 2), 8.0)
    outside = torch.tensor([[-1.0, 1.0], [6.0, 1.0], [2.0, 4.0], [1e6, -1e6], [-1e6, 2.0]])[None]
    assert torch.equal(interpolate(maps, outside, 4, 6), torch.zeros(1, 5, 2))
    half_out = torch.tensor([[-0.5, 1.0], [5.5, 1.0], [2.0, 3.75], [-0.5, -0.5]])[None]
    assert interpolate(maps, half_out, 4, 6)[0, :, 0].tolist() == [4.0, 4.0, 2.0, 2.0]


def test_interpolation_equals_grid_sample_inside_and_outside():
    maps = torch.randn(3, 6, 8, 5)
    pixels = torch.rand(3, 40, 2) * torch.tensor([44.0, 34.0]) - 6.0
    grid = (2.0 * pixels / torch.tensor([31.0, 23.0]) - 1.0)[:, None]
    expected = F.grid_sample(maps.movedim(-1, 1), grid, align_corners=True)[:, :, 0]
    torch.testing.assert_close(interpolate(maps, pixels, 24, 32), expected.transpose(1, 2))


def test_the_gradient_of_a_sample_is_its_weight():
    maps = torch.zeros(1, 2, 2, 1, requires_grad=True)
    interpolate(maps, torch.tensor([[[0.25, 0.0]]]), 2, 2).sum().backward()
    assert maps.grad.flatten().tolist() == [0.75, 0.25, 0.0, 0.0]


def test_borders_are_visible_and_points_behind_or_beyond_are_not():
    pixels = torch.tensor([[0.0, 0.0], [31.0, 23.0], [31.01, 5.0], [5.0, 23.01], [-0.01, 5.0], [5.0, 5.0]])
    depths = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, -1.0])
    assert visible(pixels, depths, 24, 32).tolist() == [True, True, False, False, False, False]


def test_a_point_behind_a_camera_is_not_visible_although_its_line_passes_through_the_image():
    cameras = Camera.stack([camera_at(0.0, 24, 32)])
    ahead, behind = torch.tensor([[[0.0, 0.0, 2.0]]]), torch.tensor([[[0.0, 0.0, -2.0]]])
    pixels, seen = project(ahead, cameras)
    assert seen.item()
    torch.testing.assert_close(pixels[0, 0, 0], torch.tensor([15.5, 11.5]))
    assert not project(behind, cameras)[1].item()


def test_directions_by_hand():
    # A point seen from the left under 45 degrees, and from where the target stands.
    point, origin = torch.tensor([[[0.0, 0.0, 1.0]]]), torch.tensor([[0.0, 0.0, 0.0]])
    found = direction_difference(point, origin, torch.tensor([[-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))[:, 0, 0]
    half = 0.5**0.5
    difference = F.normalize(torch.tensor([half, 0.0, half - 1.0]), dim=0)
    torch.testing.assert_close(found[0], torch.tensor([*difference, half]), atol=1e-5, rtol=0)
    # From the same place nothing differs: no direction, cosine 1.
    torch.testing.assert_close(found[1], torch.tensor([0.0, 0.0, 0.0, 1.0]), atol=1e-5, rtol=0)


def test_projection_and_features_match_the_reference(golden):
    arrays = tensors(golden("projector"))
    cameras = golden_camera(arrays["in/src_cameras"][0])
    pixels, seen = project(arrays["in/pts"], cameras)
    assert torch.equal(seen.movedim(0, 2), arrays["out/mask"][..., 0] > 0)
    assert 0.2 < seen.float().mean() < 0.6
    size = cameras.height, cameras.width
    colors = interpolate(arrays["in/src_rgbs"][0], pixels, *size)
    features = interpolate(channels_last(arrays["in/featmaps"]), pixels, *size)
    assert_golden(torch.cat([colors, features], dim=-1).movedim(0, 2), arrays["out/rgb_feat"])
    semantics = interpolate(channels_last(arrays["in/deep_semantics"]), pixels, *size)
    assert_golden(semantics.movedim(0, 2), arrays["out/deep_sem_feat"])


def test_directions_match_the_reference(golden):
    arrays = tensors(golden("projector"))
    origin = golden_camera(arrays["in/query_camera"][0]).center.expand(6, 3)
    centers = golden_camera(arrays["in/src_cameras"][0]).center
    found = direction_difference(arrays["in/pts"], origin, centers)
    assert_golden(found.movedim(0, 2), arrays["out/ray_diff"])
