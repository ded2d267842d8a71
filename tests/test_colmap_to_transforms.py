"""COLMAP models: both forms give one file, whose cameras project as COLMAP's; faults are sentences."""

from __future__ import annotations

import json
import math
import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from script_runs import only_sentence, run_here

from gpnerf.geometry.cameras import OPENGL_TO_OPENCV, Camera
from gpnerf.media.images import write_image
from gpnerf.preparation.colmap.reader import read_model
from gpnerf.system.errors import ConfigError, DataError
from scripts.colmap_to_transforms import main

NUMBERS = {"SIMPLE_PINHOLE": 0, "PINHOLE": 1, "SIMPLE_RADIAL": 2, "RADIAL": 3, "OPENCV": 4}
NUMBERS |= {"OPENCV_FISHEYE": 5, "FULL_OPENCV": 6, "THIN_PRISM_FISHEYE": 10, "FUTURE": 99}
QUARTER = math.sqrt(0.5)


@dataclass
class Made:
    """A COLMAP model as numbers. images: id -> (quaternion, translation, camera, name, point ids)."""

    cameras: dict = field(default_factory=lambda: {7: ("PINHOLE", 8, 6, (5.0, 5.5, 4.25, 3.0))})
    images: dict = field(
        default_factory=lambda: {
            12: ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 7, "b.png", (1, -1, 3)),
            5: ((QUARTER, 0.0, QUARTER, 0.0), (0.1, -0.2, 0.3), 7, "sub folder/a 1.png", ()),
            9: ((2.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.5), 7, "é.png", (3,)),
        }
    )
    points: dict | None = field(
        default_factory=lambda: {3: (0.1, 0.2, 2.0), 1: (0.0, -0.1, 4.0), 8: (0.0, 0.0, 99.0)}
    )

    def write_binary(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        data = struct.pack("<Q", len(self.cameras))
        for key, (model, width, height, values) in self.cameras.items():
            data += struct.pack(f"<iiQQ{len(values)}d", key, NUMBERS[model], width, height, *values)
        (folder / "cameras.bin").write_bytes(data)
        data = struct.pack("<Q", len(self.images))
        for key, (quaternion, translation, camera, name, ids) in self.images.items():
            data += struct.pack("<I7dI", key, *quaternion, *translation, camera) + name.encode() + b"\0"
            data += struct.pack("<Q", len(ids)) + b"".join(struct.pack("<ddq", 1.5, 2.5, i) for i in ids)
        (folder / "images.bin").write_bytes(data)
        if self.points is not None:
            data = struct.pack("<Q", len(self.points))
            for number, (key, position) in enumerate(self.points.items()):
                data += struct.pack("<Q3d3Bd", key, *position, 1, 2, 3, 0.5)
                data += struct.pack("<Q", number) + struct.pack("<II", 12, 0) * number
            (folder / "points3D.bin").write_bytes(data)
        return folder

    def write_text(self, folder: Path, end: str = "\n") -> Path:
        folder.mkdir(parents=True, exist_ok=True)

        def save(name: str, lines: list[str]) -> None:
            text = end.join(["# A comment", f"# of {name}", *lines]) + end
            (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="")

        cameras = self.cameras.items()
        save("cameras", [" ".join(map(str, (key, *rest, *values))) for key, (*rest, values) in cameras])
        lines = []
        for key, (quaternion, translation, camera, name, ids) in self.images.items():
            lines.append(" ".join(map(str, (key, *quaternion, *translation, camera, name))))
            lines.append(" ".join(f"1.5 2.5 {i}" for i in ids))
        save("images", lines)
        if self.points is not None:
            points = self.points.items()
            save("points3D", [" ".join(map(str, (key, *at, 1, 2, 3, 0.5, 12, 0))) for key, at in points])
        return folder


@pytest.fixture
def photographs(tmp_path: Path) -> Callable[[Made], Path]:
    """photographs(made) -> a scene folder with an image of the right size for every image of the model."""

    def save(made: Made, folder: str = "images") -> Path:
        for _, _, camera, name, _ in made.images.values():
            path = tmp_path / "scene" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _, width, height, _ = made.cameras.get(camera, (None, 8, 6, None))
            write_image(path, np.zeros((height, width, 3), np.uint8))
        return tmp_path / "scene"

    return save


def convert(model: Path, scene: Path, *more: str) -> dict:
    assert main([str(model), str(scene), *more]) == 0
    return json.loads((scene / "transforms.json").read_text())


def camera_of(values: dict, frame: dict) -> Camera:
    """The camera as gpnerf's loader reads it: pixel centres at integers, OpenCV axes."""
    values = values | frame
    pose = torch.tensor(frame["transform_matrix"], dtype=torch.float64) @ OPENGL_TO_OPENCV
    focal = (values["fl_x"], values["fl_y"], values["cx"] - 0.5, values["cy"] - 0.5)
    return Camera.from_focal(*focal, pose, values["h"], values["w"])


def test_text_and_binary_give_the_same_file(tmp_path: Path, photographs):
    scene = photographs(Made())
    binary = convert(Made().write_binary(tmp_path / "binary"), scene)
    text = convert(Made().write_text(tmp_path / "text"), scene, "--overwrite")
    windows = convert(Made().write_text(tmp_path / "windows", end="\r\n"), scene, "--overwrite")
    assert binary == text == windows
    names = [frame["file_path"] for frame in binary["frames"]]
    assert names == ["images/b.png", "images/sub folder/a 1.png", "images/é.png"]
    assert not list(scene.glob("*.partial"))


def test_masks_that_colmap_ran_with_are_named(tmp_path: Path, photographs, caplog):
    """Their names are those of the photographs with .png behind the extension."""
    scene, model = photographs(Made()), Made().write_text(tmp_path / "model")
    for name in ("masks/b.png.png", "masks/sub folder/a 1.png.png", "masks/é.png"):
        (scene / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(scene / name, np.full((6, 8), 255, np.uint8))
    masks = [frame.get("mask_path") for frame in convert(model, scene)["frames"]]
    assert masks == ["masks/b.png.png", "masks/sub folder/a 1.png.png", None]
    assert "1 of 3 images have no mask there" in caplog.text and "are used whole: é.png." in caplog.text


def test_a_pose_by_hand(tmp_path: Path, photographs):
    """A quarter turn about y: the world's x axis is the camera's -z axis (OpenCV), so it looks along -x."""
    values = convert(Made().write_binary(tmp_path / "model"), photographs(Made()))
    turned = np.array(values["frames"][1]["transform_matrix"])
    # Columns are the camera's right, up and back in the world; back is +x.
    np.testing.assert_allclose(turned[:3, :3], [[0, 0, 1], [0, -1, 0], [1, 0, 0]], atol=1e-12)
    # The centre is -R^T t with t = (0.1, -0.2, 0.3) and R^T = [[0, 0, -1], [0, 1, 0], [1, 0, 0]].
    np.testing.assert_allclose(turned[:3, 3], [0.3, 0.2, -0.1], atol=1e-12)
    assert turned[3].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_points_land_on_the_pixels_of_colmaps_formula(tmp_path: Path, photographs):
    generator = np.random.default_rng(0)
    quaternion = generator.normal(size=4)
    made = Made(images={1: (tuple(quaternion), (0.3, -0.1, 0.2), 7, "a.png", ())})
    values = convert(made.write_text(tmp_path / "model"), photographs(made))
    # A rotation as COLMAP applies it: v + 2 w (u x v) + 2 u x (u x v), with the unit quaternion (w, u).
    w, *axis = quaternion / np.linalg.norm(quaternion)
    world = generator.normal(size=(20, 3)) * 3.0
    in_camera = world + 2 * w * np.cross(axis, world) + 2 * np.cross(axis, np.cross(axis, world))
    in_camera += made.images[1][1]
    seen = in_camera[:, 2] > 0.1
    assert seen.sum() >= 3
    in_camera = in_camera[seen]
    expected = in_camera[:, :2] / in_camera[:, 2:] * [5.0, 5.5] + [4.25, 3.0]
    camera = Camera.stack([camera_of(values, values["frames"][0])])
    pixels, depth = camera.project(torch.from_numpy(world[seen]).float())
    # COLMAP's (0.5, 0.5) is the project's (0, 0).
    np.testing.assert_allclose(pixels[0].numpy() + 0.5, expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(depth[0].numpy(), in_camera[:, 2], rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "parameters", "expected"),
    [
        ("SIMPLE_PINHOLE", (5, 4, 3), {"fl_x": 5, "fl_y": 5, "cx": 4, "cy": 3}),
        ("PINHOLE", (5, 6, 4, 3), {"fl_x": 5, "fl_y": 6, "cx": 4, "cy": 3}),
        ("SIMPLE_RADIAL", (5, 4, 3, 0.1), {"fl_x": 5, "fl_y": 5, "cx": 4, "cy": 3, "k1": 0.1}),
        ("RADIAL", (5, 4, 3, 0.1, 0.2), {"fl_x": 5, "fl_y": 5, "cx": 4, "cy": 3, "k1": 0.1, "k2": 0.2}),
        (
            "OPENCV",
            (5, 6, 4, 3, 0.1, 0.2, 0.3, 0.4),
            {"fl_x": 5, "fl_y": 6, "cx": 4, "cy": 3, "k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4},
        ),
        (
            "FULL_OPENCV",
            (5, 6, 4, 3, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
            {"fl_x": 5, "fl_y": 6, "cx": 4, "cy": 3, "k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4}
            | {"k3": 0.5, "k4": 0.6, "k5": 0.7, "k6": 0.8},
        ),
    ],
)
def test_parameters_of_every_camera_model(model, parameters, expected, tmp_path: Path, photographs):
    made = Made(cameras={7: (model, 8, 6, parameters)}, points=None)
    scene = photographs(made)
    for folder in (made.write_binary(tmp_path / "binary"), made.write_text(tmp_path / "text")):
        values = convert(folder, scene, "--overwrite")
        del values["frames"]
        # COLMAP's k4 divides, as OpenCV's: only FULL_OPENCV says that.
        kind = "FULL_OPENCV" if "k4" in expected else "OPENCV"
        assert values == {"camera_model": kind, "w": 8, "h": 6, **expected}


def test_two_cameras_stand_in_the_frames(tmp_path: Path, photographs):
    made = Made()
    made.cameras[8] = ("SIMPLE_PINHOLE", 4, 3, (2.5, 2.0, 1.5))
    made.images[9] = (*made.images[9][:2], 8, *made.images[9][3:])
    values = convert(made.write_binary(tmp_path / "model"), photographs(made))
    assert not {"fl_x", "w", "cx"} & values.keys()
    assert [(frame["fl_x"], frame["w"]) for frame in values["frames"]] == [(5.0, 8), (5.0, 8), (2.5, 4)]


def test_depth_range_is_that_of_the_points_in_the_images_that_see_them(tmp_path: Path, photographs):
    """b.png sees points 1 and 3 at depths 4 and 2; é.png, half a unit further back, sees 3 at 2.5; nobody
    sees the one at 99. The quantiles of 2, 2.5, 4 at 1 % and 99 % are 2.01 and 3.97."""
    values = convert(Made().write_text(tmp_path / "model"), photographs(Made()))
    assert values["near"] == pytest.approx(2.01 / 1.25)
    assert values["far"] == pytest.approx(3.97 * 1.25)


@pytest.mark.parametrize("points", [None, {}, {4: (0.0, 0.0, -1.0)}])
def test_without_seen_points_there_is_no_depth_range(points, tmp_path: Path, photographs, caplog):
    made = Made(points=points)
    if points:
        made.images[12] = (*made.images[12][:4], (4,))
    values = convert(made.write_binary(tmp_path / "model"), photographs(made))
    assert not {"near", "far"} & values.keys()
    assert "--depth_range" in caplog.text


def test_photographs_may_lie_in_another_folder(tmp_path: Path, photographs):
    scene = photographs(Made(), folder="photos")
    values = convert(Made().write_binary(tmp_path / "model"), scene, "--images", "photos")
    assert values["frames"][0]["file_path"] == "photos/b.png"


@pytest.mark.parametrize("form", ["binary", "text"])
def test_names_that_windows_wrote(form, tmp_path: Path, photographs):
    made = Made()
    scene = photographs(made)
    quaternion, translation, camera, name, points = made.images[5]
    made.images[5] = (quaternion, translation, camera, name.replace("/", "\\"), points)
    values = convert(getattr(made, f"write_{form}")(tmp_path / "model"), scene)
    assert [frame["file_path"] for frame in values["frames"]][1] == "images/sub folder/a 1.png"


def test_text_without_a_last_line_and_with_a_byte_order_mark(tmp_path: Path, photographs):
    made = Made(images={1: Made().images[5]})
    folder = made.write_text(tmp_path / "model")
    path = folder / "images.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().rstrip())
    assert len(convert(folder, photographs(made))["frames"]) == 1


def test_an_image_without_its_second_line_is_noticed(tmp_path: Path):
    folder = Made().write_text(tmp_path / "model")
    path = folder / "images.txt"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "png" in line))
    with pytest.raises(DataError, match=r"images\.txt, line 2: .*every image has two lines"):
        read_model(folder)


def change(**parts: object) -> Callable[[Made], Made]:
    return lambda made: replace(made, **parts)


IMAGE = Made().images[12]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            change(cameras={7: ("OPENCV_FISHEYE", 8, 6, (1.0,) * 8)}),
            "found OPENCV_FISHEYE.*image_undistorter",
        ),
        (
            change(cameras={7: ("PINHOLE", 8, 6, (5.0, 0.0, 4.0, 3.0))}),
            "(camera 7|line 3): expected a positive",
        ),
        (change(cameras={7: ("PINHOLE", 0, 6, (5.0, 5.0, 4.0, 3.0))}), "positive width"),
        (change(cameras={7: ("PINHOLE", 8, 6, (5.0, 5.0, math.nan, 3.0))}), "finite.*nan"),
        (change(cameras={3: Made().cameras[7]}), "camera 7 among the model's cameras, found .3."),
        (change(images={}), "registered images, found none"),
        (change(images={1: ((0.0,) * 4, *IMAGE[1:])}), "a rotation, found 'b.png'"),
        (change(images={1: (IMAGE[0], (0.0, math.inf, 0.0), *IMAGE[2:])}), "finite numbers.*inf"),
        # Turned by 45 degrees about z, the centre is 2.4e308 away.
        (
            change(images={1: ((0.92388, 0.0, 0.0, 0.38268), (1.7e308, 1.7e308, 0.0), *IMAGE[2:])}),
            "overflows",
        ),
        (change(images={1: (*IMAGE[:3], "..\\b.png", ())}), r"below .*found \.\.\\b.png.*--image_path"),
        (change(images={1: (*IMAGE[:3], "../b.png", ())}), r"below .*found \.\./b.png.*--image_path"),
        (change(points={1: (0.0, math.nan, 1.0)}), "finite numbers"),
    ],
)
@pytest.mark.parametrize("form", ["write_binary", "write_text"])
def test_faults_of_a_model_are_sentences(form, changed, sentence, tmp_path: Path, photographs):
    scene = photographs(Made())
    folder = getattr(changed(Made()), form)(tmp_path / "model")
    with pytest.raises(DataError, match=sentence) as caught:
        main([str(folder), str(scene)])
    assert str(caught.value)[-1] == "."
    assert not (scene / "transforms.json").exists()


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("cameras.txt", "7 PINHOLE", "7 PIN_HOLE", "found PIN_HOLE"),
        ("cameras.txt", "5.5 4.25", "4.25", "fl_x, fl_y, cx, cy of PINHOLE, found 8 6 5.0 4.25 3.0"),
        ("cameras.txt", "8 6", "8 six", "line 3: expected id, model.*six"),
        ("images.txt", "12 1.0", "12", "line 3: expected id, quaternion"),
        ("images.txt", "2.5 -1", "2.5", "line 4: expected x, y and point id"),
        ("images.txt", "2.5 -1", f"2.5 {2**64}", "line 4: expected x, y and point id"),
        ("points3D.txt", "3 0.1 0.2", "3 0.1 a", "line 3: expected id, x, y and z"),
    ],
)
def test_malformed_text_is_named_by_its_line(file, old, new, sentence, tmp_path: Path):
    folder = Made().write_text(tmp_path / "model")
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=sentence):
        read_model(folder)


@pytest.mark.parametrize(
    ("model", "found"), [("THIN_PRISM_FISHEYE", "THIN_PRISM_FISHEYE"), ("FUTURE", "number 99")]
)
def test_a_camera_model_that_is_not_read_is_named(model, found, tmp_path: Path):
    made = Made(cameras={7: (model, 8, 6, (1.0,) * 12)})
    with pytest.raises(DataError, match=f"found {found}; run COLMAP's image_undistorter"):
        read_model(made.write_binary(tmp_path / "model"))


@pytest.mark.parametrize("name", ["cameras", "images", "points3D"])
def test_a_binary_file_cut_at_any_length_is_noticed(name, tmp_path: Path):
    path = Made().write_binary(tmp_path / "model") / f"{name}.bin"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(
            DataError, match=rf"{name}\.bin: expected at least \d+ bytes, found {length}: cut"
        ):
            read_model(path.parent)
    path.write_bytes(whole + b"\0")
    with pytest.raises(DataError, match=rf"expected {len(whole)} bytes by its own counts"):
        read_model(path.parent)


@pytest.mark.parametrize("form", ["write_binary", "write_text"])
def test_changed_bytes_give_a_model_or_a_sentence(form, tmp_path: Path):
    folder = getattr(Made(), form)(tmp_path / "model")
    generator = random.Random(0)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            data[generator.randrange(len(data))] = generator.randrange(256)
            path.write_bytes(data)
            try:
                read_model(folder)
            except DataError as error:
                assert str(folder) in str(error)
        path.write_bytes(whole)


def test_absurd_counts_are_refused_before_anything_is_read(tmp_path: Path):
    folder = Made().write_binary(tmp_path / "model")
    for name in ("cameras", "images", "points3D"):
        path = folder / f"{name}.bin"
        whole = path.read_bytes()
        path.write_bytes(struct.pack("<Q", 2**62) + whole[8:])
        with pytest.raises(DataError, match="cut short"):
            read_model(folder)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("made", "found"), [((), "an empty folder"), (("0", "1"), "0, 1"), (None, "no such folder")]
)
def test_a_folder_without_a_model(made, found, tmp_path: Path):
    for name in () if made is None else ("", *made):
        (tmp_path / "sparse" / name).mkdir(exist_ok=True)
    with pytest.raises(DataError, match=f"found {found}; name the folder of one model"):
        read_model(tmp_path / "sparse")


def test_all_missing_photographs_are_in_one_sentence(tmp_path: Path, photographs):
    scene = photographs(Made())
    for name in ("b.png", "é.png"):
        (scene / "images" / name).unlink()
    with pytest.raises(
        DataError, match=r"3 images of the model, found 2 of them missing: b\.png, é\.png; copy"
    ):
        main([str(Made().write_binary(tmp_path / "model")), str(scene)])


def test_photographs_of_another_shape_are_refused(tmp_path: Path, photographs):
    scene = photographs(Made())
    write_image(scene / "images" / "b.png", np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(
        DataError, match=r"b\.png: expected 8x6 .*found 3x3 \(1 of 3 images differ\); restore"
    ):
        main([str(Made().write_binary(tmp_path / "model")), str(scene)])


def test_intrinsics_follow_smaller_copies_of_the_photographs(tmp_path: Path, photographs, caplog):
    """Half of f = (5, 5.5) and c = (4.25, 3), counted from the corner of the image."""
    scene = photographs(Made())
    for _, _, _, name, _ in Made().images.values():
        (scene / "images_2" / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(scene / "images_2" / name, np.zeros((3, 4, 3), np.uint8))
    values = convert(Made().write_binary(tmp_path / "model"), scene, "--images", "images_2")
    found = [values[key] for key in ("fl_x", "fl_y", "cx", "cy", "w", "h")]
    assert found == [2.5, 2.75, 2.125, 1.5, 4, 3]
    assert "3 photographs are 0.5 times as large as their cameras" in caplog.text


def test_photographs_that_colmap_did_not_place_and_other_models_are_told(tmp_path: Path, photographs, caplog):
    scene = photographs(Made())
    write_image(scene / "images" / "c.png", np.zeros((6, 8, 3), np.uint8))
    Made().write_binary(tmp_path / "sparse" / "1")
    convert(Made().write_binary(tmp_path / "sparse" / "0"), scene)
    assert "1 of 4 photographs are not in the model, as COLMAP did not find their poses: c.png" in caplog.text
    assert "other models lie beside it (1)" in caplog.text
    caplog.clear()
    (scene / "images" / "c.png").unlink()
    convert(Made().write_binary(tmp_path / "alone" / "0"), scene, "--overwrite")
    assert not caplog.text


def test_a_model_of_colmap_with_rigs_is_read_as_one_without(tmp_path: Path):
    """COLMAP 3.12 writes rigs and frames beside the images, which keep poses of their own."""
    folder = Made().write_binary(tmp_path / "model")
    before = read_model(folder)
    for name in ("rigs.bin", "frames.bin"):
        (folder / name).write_bytes(struct.pack("<Q", 1) + b"anything")
    after = read_model(folder)
    assert [image.translation for image in before.images] == [image.translation for image in after.images]


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path, photographs):
    scene, model = photographs(Made()), Made().write_binary(tmp_path / "model")
    (scene / "transforms.json").write_text("mine")
    with pytest.raises(ConfigError, match="--overwrite"):
        main([str(model), str(scene)])
    assert (scene / "transforms.json").read_text() == "mine"
    assert convert(model, scene, "--overwrite")["w"] == 8


@pytest.mark.parametrize("folder", ["../images", "/images"])
def test_photographs_outside_the_scene_are_refused(folder, tmp_path: Path):
    with pytest.raises(ConfigError, match=f"found {re.escape(folder)}; move"):
        main([str(tmp_path), str(tmp_path), "--images", folder])


def test_the_script_says_its_fault_in_a_sentence(tmp_path: Path):
    stderr = run_here("scripts/colmap_to_transforms.py", tmp_path / "sparse", tmp_path / "scene", code=2)
    assert "no such folder" in only_sentence(stderr)
