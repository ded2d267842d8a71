"""Poses, intrinsics and depth against each other: hand numbers on a wall, a textured room, a recording."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch
from helpers import camera_at, photograph
from torch import Tensor

from gpnerf.datasets.probes.misreading import OTHER_READINGS, misread_poses
from gpnerf.datasets.probes.warp import warp
from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import OPENGL_TO_OPENCV, Camera, pixel_grid
from gpnerf.inspection.geometry import epipolar_lines, fundamental, overlap, pose_report
from gpnerf.system.errors import DataError

HEIGHT, WIDTH = 24, 32
# Columns that the wall, 2 m away, moves between cameras STEP metres apart: focal length 32 * 0.25 / 2.
STEP, SHIFT = 0.25, 4


def wall_frame(x: float, height: int = HEIGHT, width: int = WIDTH) -> Frame:
    """camera_at(x) and what it sees of the wall z = 2, with exact depth."""
    depth = torch.full((height, width), 2.0)
    return Frame("wall", f"{x:g}", camera_at(x, height, width), photograph(x, height, width), depth)


def room_frame(turn: float, lens: float = 40.0) -> Frame:
    """A view from inside a textured box of 6 x 3 x 6 m, on a circle of 1 m, `turn` radians along it."""
    pose = torch.eye(4)
    pose[:3, 0] = torch.tensor([math.cos(turn), 0.0, -math.sin(turn)])
    pose[:3, 2] = torch.tensor([math.sin(turn), 0.0, math.cos(turn)])
    pose[:3, 3] = pose[:3, 2] + torch.tensor([0.5, -0.2, 0.3])
    camera = Camera.from_focal(lens, lens, 23.5, 17.5, pose, 36, 48)
    origins, directions = camera.rays(pixel_grid(36, 48))
    half = torch.tensor([3.0, 1.5, 3.0])
    depth = ((half * directions.sign() - origins) / directions).amin(1)
    hits = origins + depth[:, None] * directions
    waves = [(3.0 * hits).sin().sum(1), (2.0 * hits.flip(1)).cos().sum(1), (4.0 * hits).sin().prod(1)]
    image = 0.5 + 0.15 * torch.stack(waves).reshape(3, 36, 48)
    return Frame("room", f"{turn:g}", camera, image, depth.reshape(36, 48))


def room_frames() -> list[Frame]:
    return [room_frame(0.15 * step) for step in range(4)]


def recorded_frame(folder: Path, index: int) -> Frame:
    """A frame of the recorded office at a third of its size, read without the project's loaders."""
    content = json.loads((folder / "transforms.json").read_text())
    entry = content["frames"][index]
    image = cv2.imread(str(folder / entry["file_path"]))[..., ::-1]
    depth = cv2.imread(str(folder / entry["depth_file_path"]), cv2.IMREAD_UNCHANGED)
    height, width = (size // 3 for size in depth.shape)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    pose = torch.tensor(entry["transform_matrix"], dtype=torch.float64) @ OPENGL_TO_OPENCV
    focal, center = (content["fl_x"], content["fl_y"]), (content["cx"] - 0.5, content["cy"] - 0.5)
    return Frame(
        scene="office",
        name=str(index),
        camera=Camera.from_focal(*focal, *center, pose, *depth.shape).resized(height, width),
        image=torch.from_numpy(small).permute(2, 0, 1).float() / 255.0,
        depth=torch.from_numpy(depth[1::3, 1::3] / 1000.0).float(),
    )


def with_pose(frame: Frame, camera_to_world: Tensor) -> Frame:
    return replace(frame, camera=replace(frame.camera, camera_to_world=camera_to_world))


def with_other_axes(frame: Frame) -> Frame:
    """OpenGL camera axes where OpenCV's are expected."""
    return with_pose(frame, frame.camera.camera_to_world.double() @ OPENGL_TO_OPENCV)


def test_warp_moves_the_wall_by_whole_columns():
    target, source = wall_frame(0.0), wall_frame(STEP)
    result = warp(target, source)
    assert not result.visible[:, :SHIFT].any() and result.visible[:, SHIFT:].all()
    torch.testing.assert_close(result.color[:, :, SHIFT:], source.image[:, :, :-SHIFT], atol=1e-4, rtol=0)
    assert not result.color[:, :, :SHIFT].any()
    assert result.error < 1e-4
    assert result.depth_error < 1e-6


def test_warp_error_is_the_median_colour_difference():
    source = wall_frame(STEP)
    brighter = replace(source, image=source.image + torch.tensor([0.3, 0.0, -0.15])[:, None, None])
    assert warp(wall_frame(0.0), brighter).error == pytest.approx(0.15, abs=1e-4)


def test_hidden_points_are_not_visible_but_unknown_depth_hides_nothing():
    target, source = wall_frame(0.0), wall_frame(STEP)
    source.depth[:, 10:13] = 1.0
    source.depth[:, 20:23] = 0.0
    visible = warp(target, source).visible
    assert not visible[:, 10 + SHIFT : 13 + SHIFT].any()
    assert visible[:, SHIFT : 10 + SHIFT].all() and visible[:, 13 + SHIFT :].all()


def test_depth_error_counts_what_is_hidden():
    """Points 2 m away against a source depth of 2.5 m: all hidden, 20 % off, and no colour to compare."""
    source = replace(wall_frame(STEP), depth=torch.full((HEIGHT, WIDTH), 2.5))
    result = warp(wall_frame(0.0), source)
    assert not result.visible.any()
    assert result.error is None
    assert result.depth_error == pytest.approx(0.2, abs=1e-5)


def test_warp_needs_the_depth_of_the_target_alone():
    target, source = wall_frame(0.0), wall_frame(STEP)
    target.depth[:6] = 0.0
    result = warp(target, replace(source, depth=None))
    assert not result.visible[:6].any() and result.visible[6:, SHIFT:].all()
    assert result.depth_error is None
    with pytest.raises(DataError, match="wall, frame 0: expected a depth map .* choose a frame with depth"):
        warp(replace(target, depth=None), source)


def test_warp_into_a_source_of_another_size():
    result = warp(wall_frame(0.0), wall_frame(STEP, 2 * HEIGHT, 2 * WIDTH))
    assert result.visible[:, SHIFT:].all()
    assert result.error < 0.002


def test_warp_in_a_room_fits_with_right_cameras_only():
    frames = room_frames()
    right = warp(frames[0], frames[1])
    assert right.error < 0.01 and right.depth_error < 0.01
    wrong_axes = warp(with_other_axes(frames[0]), with_other_axes(frames[1]))
    assert wrong_axes.error > 10 * right.error and wrong_axes.depth_error > 10 * right.depth_error
    wrong_lens = [
        replace(room_frame(turn), camera=room_frame(turn, lens=30.0).camera) for turn in (0.0, 0.15)
    ]
    assert warp(*wrong_lens).error > 3 * right.error


def test_overlap_by_hand():
    target, left, right = (wall_frame(x) for x in (0.0, -STEP, STEP))
    assert overlap(target, [right], 9.0) == pytest.approx(28 / 32)
    assert overlap(target, [left, right], 9.0) == 1.0
    target.depth[:, SHIFT:] = 0.0
    assert overlap(target, [right], 9.0) == 0.0
    assert overlap(target, [left], 9.0) == 1.0
    assert overlap(target, [], 9.0) == 0.0


def test_overlap_without_depth_takes_the_assumed_one():
    """At 1 m the picture moves by 8 columns, at 2 m by 4."""
    target = replace(wall_frame(0.0), depth=None)
    assert overlap(target, [wall_frame(STEP)], 2.0) == pytest.approx(28 / 32)
    assert overlap(target, [wall_frame(STEP)], 1.0) == pytest.approx(24 / 32)


def test_overlap_ignores_what_hides_and_what_looks_away():
    target, source = wall_frame(0.0), wall_frame(STEP)
    source.depth[:] = 0.5
    assert overlap(target, [source], 9.0) == pytest.approx(28 / 32)
    turned = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    assert overlap(target, [with_pose(source, turned)], 9.0) == 0.0


# What a file may hold instead, by the reading that mends it.
MISTAKES = dict(
    zip(
        OTHER_READINGS,
        (
            torch.linalg.inv,
            lambda pose: pose @ OPENGL_TO_OPENCV,
            lambda pose: torch.linalg.inv(pose @ OPENGL_TO_OPENCV),
        ),
        strict=True,
    )
)


def mistaken(frames: list[Frame], reading: str) -> list[Frame]:
    return [with_pose(frame, MISTAKES[reading](frame.camera.camera_to_world.double())) for frame in frames]


@pytest.mark.parametrize("reading", OTHER_READINGS)
def test_poses_meant_otherwise_are_told_from_right_ones(reading):
    frames = room_frames()
    right, wrong = misread_poses(frames), misread_poses(mistaken(frames, reading))
    assert right.reading is None
    assert wrong.reading == reading
    assert (wrong.other_error, wrong.other_depth_error) == pytest.approx(
        (right.error, right.depth_error), abs=1e-4
    )
    assert right.error < 0.01 < wrong.error


def test_colours_alone_tell_inverted_poses_where_depth_is_the_same_from_everywhere():
    frames = [wall_frame(0.2 * step) for step in range(4)]
    inverse = "world-to-camera instead of camera-to-world"
    assert misread_poses(frames).reading is None
    assert misread_poses(mistaken(frames, inverse)).reading == inverse


def test_frames_that_stand_still_raise_no_suspicion():
    assert misread_poses([room_frame(0.4)] * 3).reading is None


def test_nothing_to_tell_misread_poses_by():
    frames = room_frames()
    assert misread_poses(frames[:1]) is None
    assert misread_poses([replace(frame, depth=None) for frame in frames]) is None
    assert misread_poses([frames[0], *(replace(frame, depth=None) for frame in frames)]) is None
    assert misread_poses([wall_frame(0.0), wall_frame(90.0)]) is None


def test_pose_report_by_hand():
    """Steps of 1, 0, 3, 1 and 1 m; the third camera turns on the spot, so no two poses are equal but one."""
    poses = torch.eye(4).repeat(6, 1, 1)
    poses[:, :3, 3] = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 3, 0], [1, 3, 1], [2, 3, 1]])
    report = pose_report(poses)
    assert report.median_step == pytest.approx(1.0)
    assert (report.largest_jump, report.largest_jump_at) == (pytest.approx(3.0), (2, 3))
    assert report.extent == (2.0, 3.0, 1.0)
    assert report.coinciding == 1
    assert report.rigidity_error == 0.0
    poses[2, :3, :3] = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
    assert pose_report(poses).coinciding == 0


@pytest.mark.parametrize(("diagonal", "error"), [((1.0, 1.0, -1.0), 2.0), ((1.1, 1.0, 1.0), 0.21)])
def test_pose_report_measures_what_is_no_rotation(diagonal, error):
    poses = torch.eye(4).repeat(3, 1, 1)
    poses[1, :3, :3] = torch.diag(torch.tensor(diagonal))
    assert pose_report(poses).rigidity_error == pytest.approx(error, abs=1e-6)


def test_pose_report_of_one_camera():
    report = pose_report(torch.eye(4)[None])
    assert (report.median_step, report.largest_jump, report.largest_jump_at) == (0.0, 0.0, None)
    assert report.extent == (0.0, 0.0, 0.0)


def test_points_lie_on_their_epipolar_lines():
    target, source = room_frame(0.0), room_frame(0.6, lens=30.0)
    pixels = pixel_grid(36, 48, stride=5)
    depth = target.depth[pixels[:, 1], pixels[:, 0]]
    origins, directions = target.camera.rays(pixels)
    matches, _ = Camera.stack([source.camera]).project(origins + depth[:, None] * directions)
    homogeneous = torch.cat([matches[0], torch.ones(len(pixels), 1)], dim=1)
    lines = epipolar_lines(target.camera, source.camera, pixels)
    torch.testing.assert_close(lines[:, :2].norm(dim=1), torch.ones(len(pixels)))
    distance = (lines * homogeneous).sum(1)
    assert distance.abs().max() < 1e-3
    # The line of the pixel five rows below is another.
    assert (lines.roll(-10, 0) * homogeneous).sum(1).abs().median() > 1.0


def test_epipolar_lines_of_a_step_aside_are_rows():
    pixels = torch.tensor([[3.0, 7.0], [20.0, 11.5]])
    lines = epipolar_lines(camera_at(0.0, HEIGHT, WIDTH), camera_at(STEP, HEIGHT, WIDTH), pixels)
    torch.testing.assert_close(lines * lines[:, 1:2].sign(), torch.tensor([[0.0, 1, -7], [0, 1, -11.5]]))


def test_fundamental_matrices_of_both_directions_are_transposes():
    first, second = room_frame(0.0).camera, room_frame(0.6, lens=30.0).camera
    torch.testing.assert_close(fundamental(first, second), fundamental(second, first).T, atol=1e-9, rtol=1e-4)


def test_one_centre_has_no_epipolar_lines():
    camera = room_frame(0.3).camera
    assert not fundamental(camera, camera).any()
    assert not epipolar_lines(camera, camera, pixel_grid(3, 4)).any()


def test_the_recorded_office_fits_together(real_scene):
    frames = [recorded_frame(real_scene, index) for index in range(20, 26)]
    result = warp(frames[0], frames[1])
    assert result.error < 0.1 and result.depth_error < 0.01
    swapped = warp(with_other_axes(frames[0]), with_other_axes(frames[1]))
    assert swapped.error > 2 * result.error and swapped.depth_error > 0.1
    assert overlap(frames[0], frames[1:], 2.0) > 0.6


@pytest.mark.parametrize("first", [0, 20, 60, 100])
def test_poses_of_the_recorded_office(real_scene, first):
    frames = [recorded_frame(real_scene, index) for index in range(first, first + 6)]
    assert misread_poses(frames).reading is None
    for reading in OTHER_READINGS:
        assert misread_poses(mistaken(frames, reading)).reading == reading
