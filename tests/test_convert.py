"""Recordings of other programs: points fall on known pixels, depth has its unit, faults are sentences."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import recordings
import torch
from helpers import load_folder
from recordings import HEIGHT, POINTS, WIDTH, WRITERS
from script_runs import refusal, run_here

from gpnerf.datasets.scene import Scene
from gpnerf.geometry.cameras import Camera
from gpnerf.preparation.recordings.tum import nearest
from scripts.convert import FORMATS, main

WITH_DEPTH = ("nice_slam", "tum", "polycam", "record3d", "scannetpp_iphone")
SCRIPT = "scripts/convert.py"


def convert(form: str, folder: Path, *more: str) -> tuple[Scene, dict]:
    """The scene that the script makes of a tiny recording, and its transforms.json."""
    source = WRITERS[form](folder)
    assert main([form, str(source), str(folder / "scene"), *more]) == 0
    values = json.loads((folder / "scene" / "transforms.json").read_text())
    return load_folder(folder / "scene", depth_range=(1.0, 5.0)), values


def test_every_format_has_a_recording_here():
    assert WRITERS.keys() == FORMATS.keys()


@pytest.mark.parametrize("form", FORMATS)
def test_a_known_point_falls_on_a_known_pixel(form, tmp_path):
    """4 * 1 / 4 + 3.5 and 4 * 0.5 / 4 + 2.5; of freiburg3 535.4 / 4 + 320.1 and 539.2 / 8 + 247.6."""
    scene, _ = convert(form, tmp_path)
    expected = (453.95, 315.0) if form == "tum" else (4.5, 3.0)
    assert len(scene.views) == 2
    pixels, depths = Camera.stack([view.camera for view in scene.views]).project(torch.tensor(POINTS))
    for number in range(2):
        assert depths[number, number].item() == pytest.approx(4.0, abs=1e-5)
        assert pixels[number, number].tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("form", WITH_DEPTH)
def test_depth_is_in_metres_and_has_holes(form, tmp_path):
    scene, _ = convert(form, tmp_path)
    height, width = scene.size(0)
    depth = scene.read_map(0, "depth", height, width)
    assert depth[0, 0] == 0.0 and depth[-1, -1].item() == pytest.approx(4.0, abs=1e-3)
    assert scene.count("depth") == (1 if form == "tum" else 2)


def test_depth_can_be_left_out_and_frames_skipped(tmp_path, capsys):
    scene, values = convert("nice_slam", tmp_path, "--depth", "no", "--every", "2")
    assert not scene.count("depth") and len(values["frames"]) == 1
    assert "1 of 2 frames, 0 with depth" in capsys.readouterr().out


def test_photographs_stay_byte_by_byte_and_the_recording_is_not_changed(tmp_path):
    convert("nice_slam", tmp_path)
    for _ in range(2):
        for number in range(2):
            source = tmp_path / "room0" / "results" / f"frame{number:06d}.jpg"
            assert source.read_bytes() == (tmp_path / "scene" / "images" / source.name).read_bytes()
        convert("nice_slam", tmp_path, "--overwrite")


def test_a_recording_may_become_a_scene_in_its_own_folder(tmp_path):
    source = recordings.llff(tmp_path)
    before = {path.name: path.read_bytes() for path in (source / "images").iterdir()}
    for more in ((), ("--overwrite",)):
        main(["llff", str(source), str(source), *more])
        assert {path.name: path.read_bytes() for path in (source / "images").iterdir()} == before


def test_near_and_far_of_llff_are_kept(tmp_path):
    scene, values = convert("llff", tmp_path)
    assert (values["near"], values["far"]) == (1.5, 12.0)
    assert (scene.index.near, scene.index.far) == (1.5, 12.0)


def test_rows_of_llff_follow_the_names_of_the_images_as_texts(tmp_path):
    """IMG_10 stands before IMG_9, as in the programs that read this format."""
    source = recordings.llff(tmp_path)
    for old, new in (("IMG_0", "IMG_10"), ("IMG_1", "IMG_9")):
        (source / "images" / f"{old}.png").rename(source / "images" / f"{new}.png")
    main(["llff", str(source), str(tmp_path / "scene")])
    frames = json.loads((tmp_path / "scene" / "transforms.json").read_text())["frames"]
    centers = {frame["file_path"]: frame["transform_matrix"][0][3] for frame in frames}
    assert centers == {"images/IMG_10.png": 0.0, "images/IMG_9.png": 0.5}


def test_the_split_of_scannetpp_is_kept_and_bad_photographs_are_left_out(tmp_path):
    scene, values = convert("scannetpp_dslr", tmp_path)
    assert values["train_filenames"] == ["images/DSC00000.JPG"]
    assert values["test_filenames"] == ["images/DSC00001.JPG"]
    assert scene.index.splits == ("train", "test")


def test_tum_associates_within_two_hundredths_of_a_second():
    times = np.array([1.0, 2.0, 2.03])
    assert [nearest(time, times) for time in (1.019, 1.021, 2.016, 5.0)] == [0, None, 2, None]


def test_tum_has_the_lens_of_its_camera(tmp_path):
    source = recordings.tum(tmp_path)
    source = source.rename(source.with_name("rgbd_dataset_freiburg1_xyz"))
    main(["tum", str(source), str(tmp_path / "scene")])
    values = json.loads((tmp_path / "scene" / "transforms.json").read_text())
    # Half a pixel more than the benchmark's page, as its pixel centres are integers.
    assert [values[key] for key in ("fl_x", "cx", "cy")] == [517.3, 319.1, 255.8]
    assert [values[key] for key in ("k1", "p2", "k3")] == [0.2624, 0.0026, 1.1633]


def test_polycam_s_own_corrections_come_first(tmp_path):
    source = recordings.polycam(tmp_path)
    for kind in ("images", "cameras"):
        shutil.copytree(source / "keyframes" / kind, source / "keyframes" / f"corrected_{kind}")
    for path in (source / "keyframes" / "corrected_cameras").iterdir():
        path.write_text(json.dumps({**json.loads(path.read_text()), "t_13": 2.5}))
    main(["polycam", str(source), str(tmp_path / "scene")])
    frames = json.loads((tmp_path / "scene" / "transforms.json").read_text())["frames"]
    assert {frame["transform_matrix"][1][3] for frame in frames} == {2.5}


def test_record3d_unpacks_lzfse(tmp_path):
    lzfse = pytest.importorskip("liblzfse")
    main(["record3d", str(recordings.record3d(tmp_path, lzfse.compress)), str(tmp_path / "scene")])
    depth = np.load(tmp_path / "scene" / "depth" / "1.npy")
    assert depth.shape == (3, 4) and np.isnan(depth[0, 0]) and (depth.ravel()[1:] == 4.0).all()


def test_an_export_of_record3d_has_no_depth_and_frames_may_have_their_own_intrinsics(tmp_path, caplog):
    folder = tmp_path / "export"
    values = {**recordings.record3d_values(), "perFrameIntrinsicCoeffs": [[4, 4, 4, 3], [5, 6, 4, 3]]}
    recordings.save_text(folder / "metadata.json", json.dumps(values))
    for number in range(2):
        recordings.save(folder / "rgb" / f"{number}.jpg", number)
    main(["record3d", str(folder), str(tmp_path / "scene")])
    frames = json.loads((tmp_path / "scene" / "transforms.json").read_text())["frames"]
    assert [(frame["fl_x"], frame["fl_y"]) for frame in frames] == [(4.0, 4.0), (5.0, 6.0)]
    assert "depth is left out, as not every image has a .depth file" in caplog.text


def broken(form: str, folder: Path, file: str, text: str | bytes | None) -> tuple[str, Path]:
    """A tiny recording, one file of which is removed (None) or holds another text."""
    source = WRITERS[form](folder)
    (source / file).unlink()
    if text is not None:
        (source / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    return form, source


@pytest.mark.parametrize(
    ("form", "file", "text", "sentence"),
    [
        ("nice_slam", "../cam_params.json", None, "expected the camera of the scenes, found no such file"),
        (
            "nice_slam",
            "../cam_params.json",
            '{"camera": {"fx": 1}}',
            "camera: expected fx, fy, cx, cy and scale, found some missing",
        ),
        ("nice_slam", "../cam_params.json", '{"camera": [1]}', "expected 'camera' to be an object"),
        ("nice_slam", "traj.txt", None, "expected a pose per line, found no such file"),
        ("nice_slam", "traj.txt", " ".join("1" * 16), "a pose for each of the 2 images, found 1; copy"),
        ("nice_slam", "traj.txt", "1 2 3", "expected 16 numbers per row, found 3"),
        ("nice_slam", "results/depth000001.png", None, "a depth map for each of the 2 images, found 1"),
        ("tum", "rgb.txt", None, "expected a list of the sequence, found no such file"),
        (
            "tum",
            "groundtruth.txt",
            "1.0 0 0 0 0 0 0\n",
            "lines of a time and 7 more, found '1.0 0 0 0 0 0 0'",
        ),
        ("tum", "rgb.txt", b"\xff\xfe 1\n", "lines of a time and 1 more, found"),
        ("tum", "groundtruth.txt", "1.0 0 0 0 0 0 0 x\n", "lines of a time and 7 more, found '1.0"),
        ("tum", "groundtruth.txt", "1.0 0 0 0 0 0 0 0\n", "a quaternion x y z w"),
        ("tum", "groundtruth.txt", "7.0 0 0 0 0 0 0 1\n", "poses within 0.02 s of photographs, found none"),
        ("tum", "rgb/1.000000.png", None, "photographs with poses, found 1 of them missing: 1.000000.png"),
        (
            "polycam",
            "keyframes/cameras/50001.json",
            None,
            "camera of the same name for each of the 2 .*, found 1",
        ),
        (
            "polycam",
            "keyframes/cameras/50001.json",
            '{"t_00": 1}',
            "expected 't_01' to be a number, found no",
        ),
        (
            "scannetpp_iphone",
            "iphone/pose_intrinsic_imu.json",
            None,
            "the poses of the iPhone, found no such",
        ),
        ("scannetpp_iphone", "iphone/pose_intrinsic_imu.json", "{}", "'intrinsic' to be a 3x3 matrix"),
        ("scannetpp_iphone", "iphone/pose_intrinsic_imu.json", '{"frame_000000": [1]}', "to be an object"),
        (
            "scannetpp_dslr",
            "dslr/nerfstudio/transforms_undistorted.json",
            '{"frames": ["a"]}',
            "expected 'frames' to be a list of objects",
        ),
        (
            "scannetpp_dslr",
            "dslr/nerfstudio/transforms_undistorted.json",
            "{}",
            "expected fl_x, .*, found some",
        ),
        ("llff", "poses_bounds.npy", None, "expected the poses, found no such file"),
        ("llff", "images/IMG_1.png", None, "a row for each of the 1 images, found 2; copy"),
    ],
)
def test_faults_of_a_recording_are_sentences(form, file, text, sentence, tmp_path):
    form, source = broken(form, tmp_path, file, text)
    found = refusal(SCRIPT, form, source, tmp_path / "scene")
    assert re.search(sentence, found), found
    assert not (tmp_path / "scene" / "transforms.json").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"poses": [[0, 0, 0, 1, 0, 0, 0]]}, "a pose for each of the 2 images, found 1"),
        ({"poses": [[0, 0, 0, 1], [0, 0, 0, 1]]}, "expected qx qy qz qw tx ty tz"),
        ({"K": None}, "K or perFrameIntrinsicCoeffs of frame 0"),
        ({"dh": 5}, "expected depth of 4x5 floats"),
    ],
)
def test_faults_of_record3d_are_sentences(changes, sentence, tmp_path):
    folder = tmp_path / "export"
    recordings.save_text(folder / "metadata", json.dumps({**recordings.record3d_values(), **changes}))
    for number in range(2):
        recordings.save(folder / "rgbd" / f"{number}.jpg", number)
        (folder / "rgbd" / f"{number}.depth").write_bytes(np.ones(12, np.float32).tobytes())
    if "dh" in changes:
        pytest.importorskip("liblzfse")
    assert sentence in refusal(SCRIPT, "record3d", folder, tmp_path / "scene")


def test_a_file_that_is_no_recording_of_record3d_is_a_sentence(tmp_path):
    (tmp_path / "a.r3d").write_bytes(b"nothing")
    assert "expected a .r3d file, found no zip" in refusal(
        SCRIPT, "record3d", tmp_path / "a.r3d", tmp_path / "s"
    )
    (tmp_path / "folder").mkdir()
    assert "expected a file metadata in it" in refusal(
        SCRIPT, "record3d", tmp_path / "folder", tmp_path / "s"
    )


def test_other_arrays_than_poses_bounds_are_a_sentence(tmp_path):
    source = recordings.llff(tmp_path)
    for columns in (12, 17):
        np.save(source / "poses_bounds.npy", np.zeros((2, columns)))
        found = refusal(SCRIPT, "llff", source, tmp_path / "s")
        assert "expected 17 finite numbers per image" in found and f"found {columns}" in found


def test_an_unknown_camera_of_tum_is_a_sentence(tmp_path):
    source = recordings.tum(tmp_path).rename(tmp_path / "desk")
    assert "which tells the camera, found another" in refusal(SCRIPT, "tum", source, tmp_path / "scene")


@pytest.mark.parametrize("form", ["llff", "polycam", "tum", "record3d", "nice_slam"])
def test_check_data_tells_how_to_convert_a_recording(form, tmp_path):
    source = WRITERS[form](tmp_path / "place")
    folder = source if form in ("llff", "polycam", "tum") else source.parent
    assert f"with scripts/convert.py {form}." in refusal("scripts/check_data.py", folder)


def test_wrong_arguments_are_sentences(tmp_path):
    source = recordings.nice_slam(tmp_path)
    assert "invalid choice: 'colmap'" in refusal(SCRIPT, "colmap", source, tmp_path / "scene")
    assert "found no such file or folder" in refusal(SCRIPT, "tum", tmp_path / "no", tmp_path / "scene")
    run_here(SCRIPT, "nice_slam", source, tmp_path / "scene")
    assert "exists; keep it, or replace it" in refusal(SCRIPT, "nice_slam", source, tmp_path / "scene")


def test_the_pixels_are_those_of_the_photographs(tmp_path):
    scene, _ = convert("record3d", tmp_path)
    colors = [scene.read_image(number, HEIGHT, WIDTH).mean().item() * 255 for number in range(2)]
    assert colors == pytest.approx([20.0, 60.0], abs=1.5)
