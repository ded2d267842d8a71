"""Points of PLY files: every form gives the same ones, everything odd is a sentence."""

import numpy as np
import pytest

from gpnerf.datasets.files import ply
from gpnerf.system.errors import DataError

POINTS = np.array([[1.0, 2.0, 3.0], [-4.0, 5.5, 6.25], [0.0, 0.0, 7.0]])
COLORS = "property uchar red\nproperty uchar green\nproperty uchar blue\n"


def header(form: str, count: int = 3, kind: str = "float", before: str = "", after: str = "") -> bytes:
    axes = "".join(f"property {kind} {axis}\n" for axis in "xyz")
    lines = (
        f"ply\nformat {form} 1.0\ncomment made by hand\n{before}element vertex {count}\n{axes}{COLORS}{after}"
    )
    return f"{lines}end_header\n".encode()


def binary(order: str, kind: str) -> bytes:
    layout = [(axis, order + kind) for axis in "xyz"] + [(color, "u1") for color in "rgb"]
    rows = np.zeros(3, layout)
    for number, axis in enumerate("xyz"):
        rows[axis] = POINTS[:, number]
    return rows.tobytes()


ASCII = b"".join(b"%g %g %g 1 2 3\n" % tuple(point) for point in POINTS)
FACES = "element face 1\nproperty list uchar int vertex_indices\n"
CAMERA = "element camera 1\nproperty double focal\n"
FILES = {
    "ascii": header("ascii") + ASCII,
    "little endian": header("binary_little_endian") + binary("<", "f4"),
    "big endian doubles": header("binary_big_endian", kind="float64") + binary(">", "f8"),
    "faces behind": header("ascii", after=FACES) + ASCII + b"3 0 1 2\n",
    "another element before, ascii": header("ascii", before=CAMERA) + b"585\n" + ASCII,
    "another element before": header("binary_little_endian", before=CAMERA) + bytes(8) + binary("<", "f4"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_form_gives_the_same_points(tmp_path, name):
    path = tmp_path / "points.ply"
    path.write_bytes(FILES[name])
    np.testing.assert_array_equal(ply.read_points(path), POINTS)


ODD = {
    "no ply": (b"solid\n", "a PLY file, found a first line other than 'ply'"),
    "another format": (header("ascii2"), "one of the formats ascii, .*found ascii2"),
    "no end": (b"ply\nformat ascii 1.0\n", "found one without an end"),
    "no vertices": (header("ascii").replace(b"vertex", b"face"), "an element 'vertex', found face"),
    "no z": (header("ascii").replace(b"float z", b"float w"), "vertices with x, y and z, found x, y, w"),
    "lists before": (header("ascii", before=FACES), "found a list"),
    "a foreign line": (b"ply\nhello\n", "the header of a PLY file, found 'hello'"),
    "too short": (FILES["little endian"][:-1], "3 vertices of 15 bytes, found 44 bytes"),
    "too few lines": (header("ascii") + ASCII[:30], "expected (3 vertices|6 numbers)"),
    "words": (header("ascii") + ASCII.replace(b"5.5", b"five"), "found could not convert"),
    "no points": (header("ascii", 0), "expected points, found none"),
    "points nowhere": (header("ascii", 1) + b"nan 0 0 1 2 3\n", "expected points, found none"),
    "more lines than bytes": (
        header("ascii", 10**20 - 1) + ASCII,
        "expected 9{20} vertices, found fewer byt",
    ),
    "more bytes than any file": (
        header("binary_little_endian", 10**20 - 1),
        "vertices of 15 bytes, found 0 b",
    ),
    "more than any file": (header("binary_little_endian", 10**18), "vertices of 15 bytes, found 0 bytes"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_told_in_a_sentence(tmp_path, name):
    content, expected = ODD[name]
    path = tmp_path / "points.ply"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"points\.ply: .*{expected}.*; write the points again\."):
        ply.read_points(path)
    with pytest.raises(DataError, match="expected a PLY file, found No such file"):
        ply.read_points(tmp_path / "nowhere.ply")


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian"])
def test_of_many_points_some_are_taken_from_the_whole_file(tmp_path, monkeypatch, form):
    monkeypatch.setattr(ply, "POINTS_USED", 2)
    path = tmp_path / "points.ply"
    path.write_bytes(FILES["ascii" if form == "ascii" else "little endian"])
    np.testing.assert_array_equal(ply.read_points(path), POINTS[::2])
