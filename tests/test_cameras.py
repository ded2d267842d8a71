"""Cameras against hand numbers, identities and the reference implementation."""

import numpy as np
import pytest
import torch
from helpers import golden_camera

from gpnerf.geometry.cameras import LARGEST_PIXEL, Camera, full_precision, pixel_grid


def rotation_about_y(angle: float) -> torch.Tensor:
    pose = torch.eye(4)
    cosine, sine = np.cos(angle), np.sin(angle)
    pose[:3, :3] = torch.tensor([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])
    return pose


def tilted_camera() -> Camera:
    pose = rotation_about_y(0.7)
    pose[:3, 3] = torch.tensor([1.0, -2.0, 0.5])
    return Camera.from_focal(300.0, 280.0, 158.7, 121.2, pose, 240, 320)


def test_rays_of_a_camera_by_hand():
    camera = Camera.from_focal(100.0, 50.0, 10.0, 20.0, torch.eye(4), 100, 100)
    origins, directions = camera.rays(torch.tensor([[10, 20], [60, 70]]))
    assert origins.tolist() == [[0.0, 0.0, 0.0]] * 2
    torch.testing.assert_close(directions, torch.tensor([[0.0, 0.0, 1.0], [0.5, 1.0, 1.0]]))


def test_a_camera_turned_right_looks_along_x():
    _, directions = Camera.from_focal(1.0, 1.0, 0.0, 0.0, rotation_about_y(np.pi / 2), 1, 1).rays(
        torch.tensor([[0, 0]])
    )
    torch.testing.assert_close(directions, torch.tensor([[1.0, 0.0, 0.0]]), atol=1e-6, rtol=0)


def test_projecting_a_point_of_a_ray_gives_its_pixel_and_depth():
    camera = tilted_camera()
    pixels = pixel_grid(240, 320, stride=37)
    depths = torch.linspace(0.5, 8.0, len(pixels))
    origins, directions = camera.rays(pixels)
    projected, z = Camera.stack([camera]).project(origins + depths[:, None] * directions)
    torch.testing.assert_close(projected[0], pixels.float(), atol=2e-3, rtol=0)
    torch.testing.assert_close(z[0], depths, atol=1e-5, rtol=1e-5)


def test_points_behind_a_camera_have_negative_depth_and_land_far_outside():
    camera = Camera.stack([Camera.from_focal(4.0, 4.0, 3.5, 2.5, torch.eye(4), 6, 8)])
    pixels, depth = camera.project(torch.tensor([[0.5, 0.5, -1.0]]))
    assert depth.item() == -1.0
    # The principal point adds c * z, which is negative here and outweighs f * x = 2.
    assert pixels[0, 0].tolist() == [-LARGEST_PIXEL, -LARGEST_PIXEL]


def test_resizing_keeps_the_ray_through_the_same_place_of_the_image():
    camera = tilted_camera()
    small = camera.resized(60, 160)
    places = torch.tensor([[0.0, 0.0], [0.25, 0.9], [1.0, 1.0]])  # fractions of the image, edge to edge
    _, full_rays = camera.rays(places * torch.tensor([320.0, 240.0]) - 0.5)
    _, small_rays = small.rays(places * torch.tensor([160.0, 60.0]) - 0.5)
    torch.testing.assert_close(small_rays, full_rays, atol=1e-5, rtol=0)
    assert (small.height, small.width) == (60, 160)


def test_resized_intrinsics_by_hand():
    camera = Camera.from_focal(320.0, 320.0, 319.5, 239.5, torch.eye(4), 480, 640).resized(240, 320)
    assert camera.intrinsics.tolist() == [[160.0, 0.0, 159.5], [0.0, 160.0, 119.5], [0.0, 0.0, 1.0]]


def test_pixel_grid_goes_row_by_row():
    assert pixel_grid(3, 4, stride=2).tolist() == [[0, 0], [2, 0], [0, 2], [2, 2]]


def test_projection_matches_the_reference(golden):
    arrays = golden("projector")
    cameras = golden_camera(torch.from_numpy(arrays["in/src_cameras"][0]))
    pixels, depth = cameras.project(torch.from_numpy(arrays["in/pts"]))
    expected = torch.from_numpy(arrays["out/pixel_locations"])
    in_front = torch.from_numpy(arrays["out/in_front"])
    assert torch.equal(depth > 0, in_front)
    assert 0 < in_front.sum() < in_front.numel()
    torch.testing.assert_close(pixels, expected, atol=2e-3, rtol=1e-4)


def test_rays_match_the_reference(golden):
    arrays = golden("sampling")
    camera = golden_camera(torch.from_numpy(arrays["in/camera"][0]))
    for stride in (1, 2):
        origins, directions = camera.rays(pixel_grid(camera.height, camera.width, stride))
        expected_origins = torch.from_numpy(arrays[f"out/rays_o_stride{stride}"])
        expected_directions = torch.from_numpy(arrays[f"out/rays_d_stride{stride}"])
        torch.testing.assert_close(origins, expected_origins, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(directions, expected_directions, atol=2e-5, rtol=1e-4)


def test_geometry_allows_no_rounding_of_products_and_leaves_the_setting_as_it_was():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        device, rounded = torch.device("cpu"), torch.autocast("cpu", torch.bfloat16)
        with pytest.raises(ZeroDivisionError), rounded, full_precision(device):
            assert torch.get_float32_matmul_precision() == "highest"
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
            raise ZeroDivisionError
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)
