"""Warnings about cameras in one place, repeated poses, and views that no source sees."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from script_runs import run_here, write_config

from gpnerf.datasets.overlap import share_seen
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.probes.placement import blind_warnings, is_blind, pose_warnings
from gpnerf.geometry.cameras import Camera
from gpnerf.training.checkpoint import checkpoint_path


def scene(xs: list[float], turns: list[float]) -> SimpleNamespace:
    """Cameras at these x, each turned about the vertical by so many radians."""
    poses = np.tile(np.eye(4), (len(xs), 1, 1))
    poses[:, 0, 3] = xs
    poses[:, 0, 0] = poses[:, 2, 2] = np.cos(turns)
    poses[:, 0, 2], poses[:, 2, 0] = np.sin(turns), -np.sin(turns)
    names = tuple(f"{number:03d}" for number in range(len(xs)))
    return SimpleNamespace(name="attic", index=SimpleNamespace(poses=poses, names=names))


def test_a_camera_that_only_turns_is_told():
    (sentence,) = pose_warnings(scene([0.3] * 3, [0.0, 0.1, 0.2]))
    assert sentence.startswith(
        "attic: the camera never moves: its frames 000 to 002 were taken from one place"
    )


def test_repeated_poses_are_told_once_with_the_first_pair():
    (sentence,) = pose_warnings(scene([0.0, 0.5, 1.0, 0.5, 0.0], [0.0] * 5))
    assert "attic: 2 of its 5 frames repeat the pose of another one, as 003 repeats that of 001" in sentence


def test_one_place_in_two_directions_is_no_repeated_pose():
    assert pose_warnings(scene([0.0, 0.0, 1.0], [0.0, 0.1, 0.0])) == []
    assert pose_warnings(scene([0.0], [0.0])) == []


def sources(x: float, turn: float) -> Candidates:
    """A target that looks along z from the origin, by a right angle, and one source."""
    camera = Camera.from_focal(8.0, 8.0, 7.5, 5.5, torch.eye(4), 12, 16)
    pose = torch.from_numpy(scene([x], [turn]).index.poses)
    return Candidates(camera, Camera(camera.intrinsics[None], pose, 12, 16), 0.5, 5.0)


@pytest.mark.parametrize(
    "x, turn, share",
    [
        (0.0, 0.0, 1.0),
        # To the right by 45 degrees: the right half.
        (0.0, math.pi / 4, 0.5),
        (0.0, math.pi, 0.0),
        # Beyond all that is near enough to be seen.
        (50.0, 0.0, 0.0),
    ],
)
def test_the_share_of_a_view_that_a_source_may_see(x, turn, share):
    one = sources(x, turn)
    assert share_seen(one.target, one.cameras, one.near, one.far) == pytest.approx(share, abs=0.01)
    assert is_blind(one) == (share == 0.0)


def test_blind_views_are_told_by_name():
    assert blind_warnings("attic", [], 5, "look around") == []
    (sentence,) = blind_warnings("attic", ["007", "015"], 5, "look around")
    assert "almost nothing of 2 of 5 views (007 and 1 more)" in sentence and "10%" in sentence
    assert sentence.endswith("; look around.")


def test_evaluation_and_video_tell_what_no_source_sees(scene_writer, rooms_run):
    """Of five frames in a row the second looks back; the video turns there and back, through the sides."""
    writer = scene_writer(frames=5, name="office")
    writer.top["fl_x"] = 16.0
    turned = np.diag([-1.0, 1.0, -1.0, 1.0])
    turned[0, 3] = 0.1
    writer.top["frames"][1]["transform_matrix"] = turned.tolist()
    folder = writer.write()
    options = {"data_root": folder.parent, "test_scenes": "office", "test_frames": "1:2"}
    config = write_config(folder.parent / "office.txt", **options)
    arguments = ["--config", config, "--checkpoint", checkpoint_path(rooms_run, 6)]
    told = "Warning: office: the source views show almost nothing of"
    stderr = run_here("eval.py", *arguments)
    assert stderr.count(told) == 1 and f"{told} 1 of 1 views (1), expected at least 10%" in stderr
    assert "allow more --source_frames, or leave these views out of --test_frames." in stderr
    stderr = run_here("render.py", *arguments, "--frames", 17)
    assert f"{told} 5 of 17 views (frame 2 and 4 more), expected at least 10%" in stderr
    assert "choose another --path, add photographs of what it shows" in stderr
