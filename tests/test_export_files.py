"""Exported points, Gaussians and meshes are read back byte by byte."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from gpnerf.datasets.files.ply import read_points
from gpnerf.export.cloud import Cloud
from gpnerf.export.formats import write_cloud, write_mesh, write_objects
from gpnerf.export.glb import write_glb
from gpnerf.export.map_folder import MapFolder
from gpnerf.export.mesh import Mesh
from gpnerf.export.paint import Look
from gpnerf.export.splat import write_splats
from gpnerf.system.errors import ConfigError

PLACES = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.5]], np.float32)
COLORS = np.array([[255, 0, 0], [0, 128, 0], [1, 2, 3]], np.uint8)
LABELS, CONFIDENCE = np.array([1, -1, 0]), np.array([0.5, 0.0, 0.75], np.float32)
SPACING = np.array([0.1, 0.2, 0.4], np.float32)
CLOUD = Cloud(PLACES, SPACING, Look(COLORS, LABELS, CONFIDENCE))
MESH = Mesh(PLACES, np.array([[0, 2, 1]], np.int32), CLOUD.look)


def maps(*names: str) -> MapFolder:
    return MapFolder(Path(), 1.0, 5.0, names)


def parts(path: Path) -> tuple[list[str], bytes]:
    """The lines of the header and the bytes behind it."""
    header, body = path.read_bytes().split(b"end_header\n", 1)
    return header.decode().splitlines(), body


def test_a_cloud_has_places_colors_classes_and_confidence(tmp_path):
    write_cloud(tmp_path / "cloud.ply", CLOUD, maps("wall", "floor"))
    lines, body = parts(tmp_path / "cloud.ply")
    assert lines == [
        "ply",
        "format binary_little_endian 1.0",
        "comment label 0: wall",
        "comment label 1: floor",
        "element vertex 3",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {color}" for color in ("red", "green", "blue")),
        "property ushort label",
        "property float confidence",
    ]
    assert struct.unpack("<3f3BHf", body[:21]) == (0.0, 1.0, 2.0, 255, 0, 0, 1, 0.5)
    assert struct.unpack("<3f3BHf", body[21:42]) == (3.0, 4.0, 5.0, 0, 128, 0, 65535, 0.0)
    assert len(body) == 63
    np.testing.assert_array_equal(read_points(tmp_path / "cloud.ply"), PLACES)


def test_a_cloud_without_classes_has_no_labels(tmp_path):
    write_cloud(tmp_path / "cloud.ply", Cloud(PLACES, SPACING, Look(COLORS, None, None)), maps())
    lines, body = parts(tmp_path / "cloud.ply")
    assert lines[-1] == "property uchar blue" and not any("comment" in line for line in lines)
    assert len(body) == 3 * 15


def test_objects_have_their_ids_and_files_of_their_own(tmp_path):
    files = write_objects(tmp_path, CLOUD, maps("object 7", "object 300"))
    assert [file.name for file in files] == ["object_7.ply", "object_300.ply"]
    lines, body = parts(files[1])
    assert "property ushort instance" in lines and "comment instance 300: object 300" in lines
    assert struct.unpack("<3f3BHf", body) == (0.0, 1.0, 2.0, 255, 0, 0, 300, 0.5)


def test_a_mesh_has_its_triangles(tmp_path):
    write_mesh(tmp_path / "mesh.ply", MESH, maps("wall", "floor"))
    lines, body = parts(tmp_path / "mesh.ply")
    assert lines[-2:] == ["element face 1", "property list uchar int vertex_indices"]
    assert struct.unpack("<B3i", body[63:]) == (3, 0, 2, 1)


def test_a_splat_is_a_round_gaussian_of_the_color_of_its_point(tmp_path):
    write_splats(tmp_path / "splats.ply", CLOUD)
    lines, body = parts(tmp_path / "splats.ply")
    names = "x y z nx ny nz f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3"
    assert lines[3:] == [f"property float {name}" for name in names.split()]
    values = np.frombuffer(body, "<f4").reshape(3, 17)
    np.testing.assert_array_equal(values[:, :3], PLACES)
    # (1 - 0.5) / 0.28209479 and (128 / 255 - 0.5) / 0.28209479.
    assert values[0, 6:9] == pytest.approx([1.7724539, -1.7724539, -1.7724539])
    assert values[1, 7] == pytest.approx(0.0069508)
    assert values[:, 9] == pytest.approx(4.5951199), "the logit of 0.99"
    assert values[0, 10:13] == pytest.approx(np.log(0.06)), "0.6 of the spacing"
    np.testing.assert_array_equal(values[:, 13:], [[1.0, 0.0, 0.0, 0.0]] * 3)
    assert not values[:, 3:6].any()


def test_a_glb_holds_the_mesh_its_colors_and_labels(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    write_glb(tmp_path / "mesh.glb", MESH)
    data = (tmp_path / "mesh.glb").read_bytes()
    content = json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]])
    assert set(content["meshes"][0]["primitives"][0]["attributes"]) == {"POSITION", "COLOR_0", "_LABEL"}
    read = trimesh.load(tmp_path / "mesh.glb", force="mesh", process=False)
    np.testing.assert_array_equal(read.vertices, PLACES)
    np.testing.assert_array_equal(read.faces, MESH.triangles)
    np.testing.assert_array_equal(read.visual.vertex_colors[:, :3], COLORS)


def test_without_trimesh_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(
        ConfigError, match=r'mesh.glb needs the package trimesh.*pip install -e "\.\[export\]"'
    ):
        write_glb(tmp_path / "mesh.glb", MESH)
    assert not list(tmp_path.iterdir())
