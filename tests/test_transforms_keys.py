"""Keys of nerfstudio and instant-ngp: each is used, passed over for a reason, named, or refused."""

import logging
import math

import numpy as np
import pytest
from helpers import load_folder

from gpnerf.datasets.transforms import files, loader
from gpnerf.datasets.transforms import keys as known
from gpnerf.system.errors import DataError, Faults


def warnings_of(writer) -> list[str]:
    """What a scene's index says, once all of it could be read."""
    faults = Faults()
    index = loader.index_scene(writer.write(), faults)
    faults.raise_any()
    return list(index.warnings)


@pytest.fixture
def ngp(scene_writer):
    """Depth of 2.0 to 2.002 m as instant-ngp names it."""
    writer = scene_writer(depth=True)
    writer.top |= {"integer_depth_scale": 0.001, "enable_depth_loading": True, "aabb_scale": 4}
    for frame in writer.top["frames"]:
        frame["depth_path"] = frame.pop("depth_file_path")
    return writer


def test_depth_as_instant_ngp_names_it(ngp):
    ngp.top["integer_depth_scale"] = 0.0005
    scene = load_folder(ngp.write())
    assert scene.count("depth") == 3
    assert scene.read(2, 6, 8).depth.unique().tolist() == pytest.approx([1.001])
    assert (scene.near, scene.far) == pytest.approx((1.0 / 1.25, 1.001 * 1.25), rel=1e-3)
    assert scene.range.source == "3 depth maps"
    assert not scene.index.warnings


def test_depth_that_is_switched_off_is_named(ngp):
    ngp.top |= {"enable_depth_loading": False, "near": 1.0, "far": 3.0}
    (sentence,) = warnings_of(ngp)
    assert "'depth_path' is not used, as 'enable_depth_loading' is false" in sentence
    assert load_folder(ngp.folder).count("depth") == 0


def test_depth_without_a_unit_is_told(ngp):
    del ngp.top["integer_depth_scale"]
    (sentence,) = warnings_of(ngp)
    assert "'depth_path' is read in millimetres" in sentence


def test_a_unit_that_counts_the_other_way_is_told(ngp):
    ngp.top["integer_depth_scale"] = 1000
    (sentence,) = warnings_of(ngp)
    assert "1000 m per stored unit" in sentence and "write 'integer_depth_scale': 0.001." in sentence


def test_the_key_of_nerfstudio_goes_before_that_of_instant_ngp(ngp):
    for number, frame in enumerate(ngp.top["frames"]):
        frame["depth_file_path"] = f"other/{number}.png"
        ngp.save(frame["depth_file_path"], np.full((6, 8), 3000, np.uint16))
    (sentence,) = warnings_of(ngp)
    assert "'depth_path' is not used" in sentence
    assert load_folder(ngp.folder).read(0, 6, 8).depth.unique().tolist() == pytest.approx([3.0])


def test_two_units_that_differ_are_refused(ngp):
    ngp.top["depth_unit_scale_factor"] = 0.002
    with pytest.raises(DataError, match="'integer_depth_scale' to be the same as 'depth_unit_scale_factor'"):
        load_folder(ngp.write())


def test_masks_are_columns_of_the_index(scene_writer):
    writer = scene_writer()
    writer.save("masks/all.png", np.full((3, 4), 255, np.uint8))
    for frame in writer.top["frames"][:2]:
        frame["mask_path"] = "masks/all.png"
    index = load_folder(writer.write()).index
    assert index.files["mask"] == ("masks/all.png", "masks/all.png", "")
    assert {"masks", "masks/all.png"} <= set(index.watched)
    writer.save("masks/all.png", np.full((4, 4), 255, np.uint8))
    with pytest.raises(DataError, match="masks/all.png: expected 8x6 pixels"):
        load_folder(writer.folder)
    writer.top["frames"][0]["mask_path"] = "masks/none.png"
    with pytest.raises(DataError, match="1 of the files it names are missing .*masks/none.png"):
        load_folder(writer.write())


@pytest.mark.parametrize(
    ("change", "focals"),
    [
        ({"x_fov": 90.0}, (4.0, 4.0)),
        ({"fl_y": 5.0}, (5.0, 5.0)),
        ({"camera_angle_x": math.pi / 2, "camera_angle_y": math.pi / 2}, (4.0, 3.0)),
    ],
)
def test_focal_lengths_in_every_form(scene_writer, change, focals):
    writer = scene_writer()
    del writer.top["fl_x"]
    writer.top |= change
    intrinsics = load_folder(writer.write()).views[0].camera.intrinsics
    assert (intrinsics[0, 0].item(), intrinsics[1, 1].item()) == pytest.approx(focals)


def test_a_lens_of_a_frame_replaces_that_of_all_in_any_form(scene_writer):
    writer = scene_writer()
    writer.top["distortion_params"] = [0.1, 0.2, 0.5, 0.0, 0.3, 0.4]
    writer.top["frames"][1] |= {"k1": 0.7, "x_fov": 90.0}
    scene = load_folder(writer.write())
    assert scene.index.distortion[0].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.0, 0.0, 0.0]
    assert scene.index.distortion[1].tolist() == [0.7] + [0.0] * 7
    assert scene.index.intrinsics[1, 0, 0] == pytest.approx(4.0)


REFUSED = {
    "axes of NeuS2": ({"from_na": True}, "'from_na' to be absent, .*axes.*found True"),
    "an f-theta lens": ({"ftheta_p0": 0.1}, "'ftheta_p0' to be a pinhole.*undistort"),
    "a panorama": ({"equirectangular": True}, "'equirectangular' to be a pinhole"),
    "fisheye of COLMAP": ({"camera_model": "SIMPLE_RADIAL_FISHEYE"}, "'SIMPLE_RADIAL_FISHEYE'; undistort"),
    "a fisheye by its name": ({"fisheye": True}, "'fisheye' to be a pinhole.*found True; undistort"),
    "a fisheye by its type": ({"camera_type": "FISHEYE"}, "'camera_type' to be a pinhole.*'FISHEYE'; undist"),
    "a camera of no name": ({"camera_model": 3}, "'camera_model' to be a pinhole.*found 3"),
    "too few lens parameters": ({"distortion_params": [0.1, 0.2]}, "the 6 numbers k1, k2, k3, k4, p1, p2"),
    "lens parameters of words": ({"distortion_params": ["a"] * 6}, "'k1' to be a finite number, found 'a'"),
    "two lenses": ({"distortion_params": [0.1] + [0] * 5, "k1": 0.2}, "to be equal to 'k1'"),
    "nerfstudio's fourth coefficient": ({"k4": 0.1}, "FULL_OPENCV with k4 = 0.1"),
    "an angle beyond half a turn": ({"fl_x": None, "x_fov": 180.0}, "'x_fov' to be below 180 degrees"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_read_wrongly_is_refused_in_one_sentence(scene_writer, name):
    change, expected = REFUSED[name]
    writer = scene_writer()
    writer.top |= change
    with pytest.raises(DataError, match=expected) as caught:
        load_folder(writer.write())
    assert str(writer.folder) in str(caught.value)


def test_frames_of_one_fault_share_a_sentence(scene_writer):
    writer = scene_writer(frames=5)
    for frame in writer.top["frames"][1:]:
        frame["camera_model"] = "OPENCV_FISHEYE"
    faults = Faults()
    index = loader.index_scene(writer.write(), faults)
    assert index.names == ("0",)
    (sentence,) = faults.sentences
    assert "frame 1 (images/1.png)" in sentence and "likewise 3 more frames" in sentence


def test_a_scene_in_motion_is_refused(scene_writer):
    writer = scene_writer()
    for frame in writer.top["frames"]:
        frame["time"] = 0.5
    assert warnings_of(writer) == []
    writer.top["frames"][2]["time"] = 0.75
    with pytest.raises(DataError, match="a scene that does not change, found 2 different values of 'time'"):
        load_folder(writer.write())


def test_what_means_all_frames_is_no_matter_of_one(scene_writer):
    writer = scene_writer(depth=True)
    writer.top["frames"][1]["depth_unit_scale_factor"] = 0.01
    with pytest.raises(DataError, match="frame 1 .*'depth_unit_scale_factor' to be the same for all frames"):
        load_folder(writer.write())


def put(**keys):
    return lambda top: top.update(keys)


def put_in_frames(**keys):
    return lambda top: [frame.update(keys) for frame in top["frames"]]


NAMED = {
    "white as transparent": (put(white_transparent=True), "'white_transparent' is not used (white pixels"),
    "a rolling shutter": (put_in_frames(rolling_shutter=[0, 0, 0.5, 0]), "'rolling_shutter' is not used"),
    "a moving camera": (put_in_frames(transform_matrix_end=np.eye(4).tolist()), "'transform_matrix_end'"),
    "light per frame": (put_in_frames(driver_parameters={"LightX": 1.0}), "the light would differ"),
    "fewer frames": (put(n_frames=2), "'n_frames' is not used: all 3 frames are read."),
    "normals": (put_in_frames(normal_path="n.png"), "'normal_path' is not used (surface normals"),
    "labels misspelt": (
        put_in_frames(semantics_path="s.png"),
        "are unknown and not used: 'semantics_path' in 3 frames (did you mean 'semantic_path'?); correct",
    ),
    "masks misspelt": (put_in_frames(mask_file_path="m.png"), "did you mean 'mask_path'?"),
    "depth misspelt": (put_in_frames(depth_filepath="d.png"), "did you mean 'depth_file_path'?"),
    "a class that is none": (
        put(semantic_classes=["wall", "floor"], ignore_label=1),
        "1 is 'floor' in 'semantic_classes' and unlabelled by 'ignore_label', so that class is never seen",
    ),
    "points misspelt": (put(ply_path="p.ply"), "used: 'ply_path' (did you mean 'ply_file_path'?);"),
    "ids misspelt": (put(ignore_labels=3), "did you mean 'ignore_label'?"),
    "a path of its own": (put_in_frames(thermal_image_file="t.png"), "used: 'thermal_image_file' in 3"),
    "a word of no meaning": (put(wibble=1), "these keys are unknown and not used: 'wibble'; correct"),
}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_not_used_is_named_when_a_scene_is_loaded(scene_writer, name, caplog):
    change, expected = NAMED[name]
    writer = scene_writer()
    change(writer.top)
    (sentence,) = warnings_of(writer)
    assert expected in sentence and sentence.endswith((".", "?"))
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            load_folder(writer.folder)
        assert caplog.text.count(expected) == 1


def test_harmless_keys_and_those_that_say_nothing_are_passed_over(scene_writer):
    writer = scene_writer()
    writer.top |= {key: 1 for key in known.HARMLESS}
    writer.top |= {"white_transparent": False, "rolling_shutter": [0.0, 0.0, 0.0, 0.0], "from_na": False}
    writer.top |= {"camera_type": "perspective", "n_frames": 3, "is_fisheye": False, "depth_maps_path": None}
    assert warnings_of(writer) == []


def test_all_unknown_keys_share_a_sentence_with_what_they_may_be_meant_for(scene_writer):
    writer = scene_writer()
    writer.top |= {"depth_scale": 0.001, "distortion": [0.1], "ignore_index": 3, "dist_coeffs": [0.1]}
    for frame in writer.top["frames"]:
        frame |= {"mask": "m.png", "depth": "d.png", "semantics": "s.png", "split": "test"}
    (sentence,) = warnings_of(writer)
    assert "'mask' in 3 frames (did you mean 'mask_path'?)" in sentence
    assert "'depth' in 3 frames (did you mean 'depth_path'?)" in sentence
    assert "'semantics' in 3 frames (did you mean 'semantic_path'?)" in sentence
    assert "'depth_scale' (did you mean 'integer_depth_scale'?)" in sentence
    assert "'distortion' (did you mean 'distortion_params'?)" in sentence
    assert "'ignore_index' (did you mean 'ignore_label'?)" in sentence
    assert "'dist_coeffs'" in sentence and "'split' in 3 frames" in sentence


def test_no_key_is_in_two_tables():
    tables = [
        known.OF_THE_SCENE,
        known.OF_A_FRAME,
        known.HARMLESS,
        known.NOT_READ,
    ]
    keys = [key for table in tables for key in table]
    assert len(keys) == len(set(keys))
    assert {key for keys in files.PATH_KEYS.values() for key in keys} <= set(keys)


def test_masks_of_instant_ngp_beside_the_photographs_are_named(scene_writer):
    writer = scene_writer()
    writer.save("images/dynamic_mask_0.png", np.zeros((6, 8), np.uint8))
    (sentence,) = warnings_of(writer)
    assert "1 files dynamic_mask_*.png of instant-ngp are not used" in sentence


def test_a_folder_of_masks_that_no_frame_names_is_told(scene_writer):
    writer = scene_writer()
    writer.save("masks/0.png", np.full((6, 8), 255, np.uint8))
    (sentence,) = warnings_of(writer)
    assert sentence.endswith(
        "files in masks beside the photographs are not used; name masks (0 = leave out) as 'mask_path'."
    )
    writer.top["frames"][0]["mask_path"] = "masks/0.png"
    assert warnings_of(writer) == []


def test_masks_that_are_labels_are_not_told(scene_writer):
    writer = scene_writer(semantic=True)
    (writer.folder / "semantic").rename(writer.folder / "masks")
    for number, frame in enumerate(writer.top["frames"]):
        frame["semantic_path"] = f"masks/{number}.png"
    assert warnings_of(writer) == []


def test_labels_in_a_jpeg_are_refused(scene_writer):
    writer = scene_writer(semantic=True)
    for number, frame in enumerate(writer.top["frames"]):
        frame["semantic_path"] = f"semantic/{number}.jpg"
        writer.save(frame["semantic_path"], np.zeros((6, 8), np.uint8))
    with pytest.raises(
        DataError, match=r"semantic maps in a lossless format, found 3 as JPEG .*semantic/0.jpg\)"
    ):
        load_folder(writer.write())
