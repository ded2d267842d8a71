"""transforms.json: conventions by hand numbers, every fault as one sentence, and a recorded scene."""

import math

import numpy as np
import pytest
import torch
from helpers import load_folder

from gpnerf.datasets.pixels import lens
from gpnerf.geometry.cameras import Camera, pixel_grid
from gpnerf.system.errors import DataError


def test_a_camera_by_hand(scene_writer):
    """OpenGL cameras look along -z with y up; the corner of the image is at (0, 0) in the file."""
    scene = load_folder(scene_writer().write())
    camera = scene.views[0].camera
    assert camera.intrinsics.tolist() == [[4.0, 0.0, 3.5], [0.0, 4.0, 2.5], [0.0, 0.0, 1.0]]
    pixels, depth = Camera.stack([camera]).project(torch.tensor([[0.0, 0.0, -2.0], [1.0, 1.0, -2.0]]))
    assert pixels[0].tolist() == [[3.5, 2.5], [5.5, 0.5]]
    assert depth[0].tolist() == [2.0, 2.0]


def test_centres_are_those_of_the_file(scene_writer):
    scene = load_folder(scene_writer(frames=3).write())
    expected = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0.2, 0, 0]], dtype=torch.float64)
    torch.testing.assert_close(scene.poses[:, :3, 3], expected)


def test_focal_length_from_the_angle_of_view_and_size_from_the_image(scene_writer):
    writer = scene_writer()
    for key in ("fl_x", "cx", "cy", "w", "h"):
        del writer.top[key]
    writer.top["camera_angle_x"] = math.pi / 2
    camera = load_folder(writer.write()).views[0].camera
    assert (camera.height, camera.width) == (6, 8)
    torch.testing.assert_close(
        camera.intrinsics, torch.tensor([[4.0, 0.0, 3.5], [0.0, 4.0, 2.5], [0.0, 0.0, 1.0]])
    )


def test_intrinsics_of_a_frame_go_before_the_shared_ones(scene_writer):
    writer = scene_writer()
    writer.top["frames"][1] |= {"fl_x": 9.0, "fl_y": 7.0}
    scene = load_folder(writer.write())
    assert [view.camera.intrinsics[0, 0].item() for view in scene.views] == [4.0, 9.0, 4.0]
    assert [view.camera.intrinsics[1, 1].item() for view in scene.views] == [4.0, 7.0, 4.0]


@pytest.mark.parametrize(
    ("coefficients", "expected"),
    [
        ({"k1": 0.0, "p2": 0.0}, ()),
        ({"k1": 0.1, "p1": 0.3, "p2": 0.4, "k2": 0.2}, (0.1, 0.2, 0.3, 0.4)),
        ({"p1": 0.3, "k3": 0.5}, (0.0, 0.0, 0.3, 0.0, 0.5)),
        ({"k1": 0.1, "k4": 0.6, "k5": 0.0}, (0.1, 0.0, 0.0, 0.0, 0.0, 0.6, 0.0, 0.0)),
        ({"camera_model": "FULL_OPENCV", "k4": 0.6}, (0.0, 0.0, 0.0, 0.0, 0.0, 0.6, 0.0, 0.0)),
        ({"distortion_params": [0.1, 0.2, 0.5, 0.0, 0.3, 0.4]}, (0.1, 0.2, 0.3, 0.4, 0.5)),
    ],
)
def test_distortion_is_in_the_order_of_opencv(scene_writer, coefficients, expected):
    writer = scene_writer()
    writer.top |= coefficients
    assert lens.coefficients(load_folder(writer.write()).index.distortion[0]) == expected


def test_maps_labels_and_units(scene_writer):
    writer = scene_writer(depth=True, semantic=True)
    writer.top |= {"depth_unit_scale_factor": 0.002, "ignore_label": 2}
    for number in range(3):
        writer.save(f"semantic/{number}.png", np.full((6, 8), number, np.uint8))
    writer.top["frames"][1]["depth_file_path"] = None
    scene = load_folder(writer.write())
    assert scene.labels.names == ("wall", "floor", "chair")
    assert scene.labels.to_classes(np.array([[0, 1, 2]], np.uint8), "map").tolist() == [[0, 1, -1]]
    assert scene.index.depth_unit == 0.002
    assert scene.has("semantic")
    assert not scene.has("depth")
    assert scene.count("depth") == 2
    assert [view.depth is None for view in scene.views] == [False, True, False]


def test_frames_are_ordered_by_number(scene_writer):
    writer = scene_writer(frames=12)
    writer.top["frames"].reverse()
    assert [view.name for view in load_folder(writer.write()).views] == [str(n) for n in range(12)]


def test_numbers_inside_names_count_and_extensions_may_be_left_out(scene_writer):
    writer = scene_writer(frames=2)
    for frame, name in zip(writer.top["frames"], ("frame_10", "frame_2"), strict=True):
        (writer.folder / frame["file_path"]).rename(writer.folder / f"{name}.png")
        frame["file_path"] = f"./{name}"
    assert [view.name for view in load_folder(writer.write()).views] == ["frame_2", "frame_10"]


def test_frames_of_one_stem_are_named_by_their_paths(scene_writer):
    writer = scene_writer(frames=2)
    writer.save("left/0.png", np.zeros((6, 8, 3), np.uint8))
    writer.top["frames"][1]["file_path"] = "left/0.png"
    assert [view.name for view in load_folder(writer.write()).views] == ["images/0", "left/0"]


def drop(key):
    return lambda top: top.pop(key)


def put(key, value):
    return lambda top: top.update({key: value})


def put_in_frame(key, value):
    return lambda top: top["frames"][1].update({key: value})


def pose(scale=1.0, mirror=1.0, corner=1.0, shift=0.0):
    matrix = np.diag([scale, scale, scale * mirror, corner])
    matrix[0, 3] = shift
    return put_in_frame("transform_matrix", matrix.tolist())


FAULTS = {
    "no frames": (drop("frames"), "'frames' to be a list of at least one frame, found no such key"),
    "empty frames": (put("frames", []), r"'frames' to be a list of at least one frame, found \[\]"),
    "a frame that is no object": (put("frames", [3]), r"'frames\[0\]' to be an object, found 3"),
    "no file_path": (put_in_frame("file_path", None), "frame 1 .*'file_path'"),
    "a file_path that is a number": (
        put_in_frame("file_path", 3),
        "'file_path' to be a non-empty text, found 3",
    ),
    "an absolute path": (put_in_frame("file_path", "/data/1.png"), "a path inside .*/data/1.png.*relative"),
    "a path out of the folder": (put_in_frame("depth_file_path", "../1.png"), "a path inside .*'../1.png'"),
    "one image twice": (put_in_frame("file_path", "images/0.png"), "found images/0 in more than one"),
    "a width that is a text": (put("w", "8"), "'w' to be a finite number, found '8'"),
    "a focal length that is true": (put("fl_x", True), "'fl_x' to be a finite number, found True"),
    "no focal length": (drop("fl_x"), "'fl_x' to be the focal length.*camera_angle_x"),
    "a negative focal length": (put("fl_x", -4.0), "'fl_x' to be positive, found -4.0"),
    "an angle of view too wide": (
        lambda top: (drop("fl_x")(top), put("camera_angle_x", 4.0)(top)),
        "below pi",
    ),
    "another image size": (put("w", 16), r"0.png: expected 16x6 pixels .*found 8x6; replace"),
    "fisheye": (put("camera_model", "OPENCV_FISHEYE"), "'OPENCV_FISHEYE'; undistort the images first"),
    "fisheye of instant-ngp": (put("is_fisheye", True), "'is_fisheye' to be a pinhole.*undistort"),
    "equirectangular": (put_in_frame("camera_model", "EQUIRECTANGULAR"), "frame 1 .*'EQUIRECTANGULAR'"),
    "labels without names": (put_in_frame("semantic_path", "images/1.png"), "'semantic_classes'.*1 frames"),
    "names that are no list": (put("semantic_classes", "wall"), "'semantic_classes' to be a list"),
    "one name of two classes": (
        put("semantic_classes", ["wall", "floor", "wall"]),
        r"'semantic_classes' to be a list of different names \(not 2 times 'wall'\), found",
    ),
    "255 as a class and by default as none": (
        put("semantic_classes", [f"class {number}" for number in range(256)]),
        "'ignore_label' to be stated with 256 classes .255 is 'class 255'.*found no such key; state it",
    ),
    "near beyond far": (put("near", 20.0), "0 < near < far, found near 20 and far 10"),
    "no pose": (put_in_frame("transform_matrix", None), "'transform_matrix' to be a 4x4 matrix"),
    "a 3x4 pose": (put_in_frame("transform_matrix", np.eye(4)[:3].tolist()), "to be a 4x4 matrix"),
    "a pose of words": (put_in_frame("transform_matrix", "identity"), "to be a 4x4 matrix"),
    "a pose that was not found": (pose(shift=float("nan")), "'transform_matrix': expected a finite pose"),
    "a scaled pose": (pose(scale=1.01), "a rotation and a translation.*the rows 1.01 0 0 0, 0 1.01 0"),
    "a mirrored pose": (pose(mirror=-1.0), "mirroring.*determinant -1"),
    "another last row": (pose(corner=2.0), "last row 0 0 0 1"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_in_one_sentence(scene_writer, name):
    change, expected = FAULTS[name]
    writer = scene_writer()
    change(writer.top)
    with pytest.raises(DataError, match=expected) as caught:
        load_folder(writer.write())
    message = str(caught.value)
    assert str(writer.folder) in message
    assert message.endswith(".")
    assert ". " not in message


def test_a_folder_or_a_file_that_is_missing(tmp_path):
    with pytest.raises(DataError, match="expected a folder .*found no such folder"):
        load_folder(tmp_path / "nowhere")
    with pytest.raises(
        DataError, match="a transforms.json, found none in it; .*find_poses.py or ns-process-data"
    ):
        load_folder(tmp_path)


@pytest.mark.parametrize(("text", "expected"), [("{", "found an error in it"), ("[]", "found a list")])
def test_a_file_that_holds_no_json_object(tmp_path, text, expected):
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(DataError, match=expected):
        load_folder(tmp_path)


def test_all_missing_files_are_reported_together(scene_writer):
    writer = scene_writer(frames=14, depth=True)
    (writer.folder / "images/3.png").unlink()
    for number in range(2, 13):
        (writer.folder / f"depth/{number}.png").unlink()
    with pytest.raises(DataError, match=r"12 of the files.*depth/2.png, images/3.png.* and 2 more") as caught:
        load_folder(writer.write())
    assert "depth/10.png" in str(caught.value)
    assert "depth/11.png" not in str(caught.value)


def test_missing_files_that_are_there_in_other_letters_are_named(scene_writer):
    writer = scene_writer(frames=2)
    (writer.folder / "images").rename(writer.folder / "Images")
    (writer.folder / "Images/0.png").rename(writer.folder / "Images/0.PNG")
    (writer.folder / "Images/1.png").unlink()
    expected = r"images/0.png \(there is Images/0.PNG\), images/1.png; write the names exactly as those"
    with pytest.raises(DataError, match=expected):
        load_folder(writer.write())


def test_extensions_that_are_left_out_may_be_capitals(scene_writer):
    writer = scene_writer(frames=2)
    for number, frame in enumerate(writer.top["frames"]):
        (writer.folder / frame["file_path"]).rename(writer.folder / f"images/{number}.PNG")
        frame["file_path"] = f"images/{number}"
    assert load_folder(writer.write()).index.files["image"] == ("images/0.PNG", "images/1.PNG")


def test_absolute_paths_inside_the_folder_are_relative_ones(scene_writer):
    writer = scene_writer(frames=2, depth=True)
    for frame in writer.top["frames"]:
        frame |= {key: str(writer.folder / frame[key]) for key in ("file_path", "depth_file_path")}
    index = load_folder(writer.write()).index
    assert index.files["image"] == ("images/0.png", "images/1.png")
    assert index.files["depth"] == ("depth/0.png", "depth/1.png")
    writer.top["frames"][0]["file_path"] = f"{writer.folder}/../tiny/images/0.png"
    with pytest.raises(DataError, match="'file_path' to be a path inside"):
        load_folder(writer.write())


def test_an_unreadable_image_is_named(scene_writer):
    writer = scene_writer()
    (writer.folder / "images/1.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match="images/1.png: expected an image"):
        load_folder(writer.write())


def test_a_map_with_swapped_sides_is_refused(scene_writer):
    writer = scene_writer(depth=True)
    writer.save("depth/2.png", np.zeros((8, 6), np.uint16))
    with pytest.raises(DataError, match="depth/2.png: expected 8x6 pixels .*found 6x8"):
        load_folder(writer.write())


def test_a_smaller_map_is_enlarged(scene_writer):
    """As phones record depth: half the size of the photograph."""
    writer = scene_writer(depth=True)
    writer.save("depth/2.png", np.arange(12, dtype=np.uint16).reshape(3, 4) + 1000)
    depth = load_folder(writer.write()).read(2, 6, 8).depth
    assert depth[0].tolist() == pytest.approx([1.0, 1.0, 1.001, 1.001, 1.002, 1.002, 1.003, 1.003])
    assert depth[:, 0].tolist() == pytest.approx([1.0, 1.0, 1.004, 1.004, 1.008, 1.008])


def test_all_faults_of_a_scene_are_counted_and_the_first_is_told(scene_writer):
    writer = scene_writer(frames=4)
    for change in (pose(scale=2.0), lambda top: top["frames"][2].update(file_path=3)):
        change(writer.top)
    (writer.folder / "images/3.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"frame 1 .*a rotation.*metres \(2 more; scripts/check_data.py"):
        load_folder(writer.write())


def test_depth_of_a_recorded_scene_agrees_with_the_frame_after_the_next(real_scene):
    """Warped along the poses, most depths meet their like; a wrong axis or inverse would leave few."""
    scene = load_folder(real_scene)
    assert len(scene.views) == 120
    agreements = []
    for first in range(0, 118, 20):
        here, there = (scene.read(index, 180, 270) for index in (first, first + 2))
        known = here.depth.flatten() > 0
        origins, directions = here.camera.rays(pixel_grid(180, 270)[known])
        points = origins + here.depth.flatten()[known][:, None] * directions
        pixels, depth = Camera.stack([there.camera]).project(points)
        columns, rows = pixels[0].round().long().unbind(-1)
        inside = (columns >= 0) & (columns < 270) & (rows >= 0) & (rows < 180) & (depth[0] > 0)
        expected, found = depth[0][inside], there.depth[rows[inside], columns[inside]]
        tolerance = (0.05 * expected).clamp(min=0.05)
        agrees = ((found - expected).abs() < tolerance)[found > 0]
        assert len(agrees) > 5000
        agreements.append(agrees.float().mean().item())
    assert min(agreements) > 0.95
