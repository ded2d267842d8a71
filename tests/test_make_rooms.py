"""scripts/make_rooms.py: every layout holds the same views, decoded here by hand and not by our loaders."""

from __future__ import annotations

import csv
import json
import re
import struct
import zlib
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from script_runs import run_here

from gpnerf.media.images import read_image
from gpnerf.rooms.layout import CLASS_NAMES
from gpnerf.rooms.shots import VERSION
from gpnerf.system.errors import ConfigError
from scripts import make_rooms

pytestmark = pytest.mark.usefixtures("rooms_planned_once")

HEIGHT, WIDTH, VIEWS, SEED = 24, 32, 3, 7
SIZES = ("--views", str(VIEWS), "--height", str(HEIGHT), "--width", str(WIDTH))
ROOM = f"room_{SEED:04d}"
# OpenGL camera axes in OpenCV's.
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
# At quality 98 without chroma subsampling.
JPEG_ERROR, JPEG_MEAN_ERROR = 16, 1.5
NYU40 = {
    "wall": 1, "floor": 2, "cabinet": 3, "bed": 4, "chair": 5, "sofa": 6, "table": 7, "door": 8, "window": 9,
    "bookshelf": 10, "picture": 11, "curtain": 16, "rug": 20, "ceiling": 22, "lamp": 35, "plant": 40,
}  # fmt: skip
REPLICA_NAMES = {"shelf": "bookshelf", "indoor-plant": "plant"}


def make(out: Path, layout: str, *more: str, seeds: str = str(SEED)) -> Path:
    assert make_rooms.main([str(out), "--layout", layout, "--rooms", seeds, *SIZES, *more]) == 0
    return out


def refusal(*arguments: str) -> str:
    """The sentence with which the script refuses these options."""
    with pytest.raises(ConfigError) as error:
        make_rooms.main([*arguments, *SIZES])
    return str(error.value)


def stack(folder: Path, pattern: str) -> np.ndarray:
    """The images of all views, which must be all the files of that kind: [N, H, W] or [N, H, W, 3]."""
    files = [folder / pattern.format(number) for number in range(VIEWS)]
    assert len(list(files[0].parent.glob(re.sub(r"{.*?}", "*", Path(pattern).name)))) == VIEWS
    return np.stack([read_image(file) for file in files])


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory):
    """views(degrees) -> the room as the layout transforms has it: arrays by name."""
    known: dict[int, dict[str, np.ndarray]] = {}

    def read(degrees: int) -> dict[str, np.ndarray]:
        if degrees not in known:
            out = tmp_path_factory.mktemp("transforms")
            folder = make(out, "transforms", "--field_of_view", str(degrees)) / ROOM
            top = json.loads((folder / "transforms.json").read_text())
            known[degrees] = {
                "color": stack(folder, "images/{:04d}.png"),
                "depth": stack(folder, "depth/{:04d}.png"),
                "semantic": stack(folder, "semantic/{:04d}.png"),
                "instance": stack(folder, "instance/{:04d}.png"),
                "poses": np.array([frame["transform_matrix"] for frame in top["frames"]]) @ FLIP,
                "focal": np.array(top["fl_x"]),
            }
        return known[degrees]

    return read


def assert_jpeg_of(found: np.ndarray, expected: np.ndarray) -> None:
    error = np.abs(found.astype(int) - expected)
    assert error.max() <= JPEG_ERROR and error.mean() <= JPEG_MEAN_ERROR


def scannet_classes(out: Path) -> np.ndarray:
    """Raw id -> class of the rooms, by the names and NYU40 numbers in the table: [1358]."""
    classes = np.full(1358, -1)
    with open(out / "scannetv2-labels.combined.tsv", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            assert len(row) == 17 and int(row["nyu40id"]) == NYU40[row["raw_category"]]
            classes[int(row["id"])] = CLASS_NAMES.index(row["category"])
    assert sorted(classes[classes >= 0]) == list(range(len(CLASS_NAMES)))
    assert (classes[256:] >= 0).sum() >= len(CLASS_NAMES) / 2
    return classes


def test_transforms_holds_what_the_cache_of_rooms_holds(tmp_path: Path):
    ours = make(tmp_path / "ours", "transforms") / ROOM
    cached = make(tmp_path / "cache", "rooms") / f"v{VERSION}_24x32_3" / ROOM
    files = [path for path in cached.rglob("*") if path.is_file()]
    assert len(files) == 1 + 4 * VIEWS == len([path for path in ours.rglob("*") if path.is_file()])
    for path in files:
        assert path.read_bytes() == (ours / path.relative_to(cached)).read_bytes()


def test_a_wider_field_of_view_shortens_the_focal_length_and_keeps_the_poses(views):
    assert views(90)["focal"] == WIDTH / 2
    assert views(80)["focal"] == pytest.approx(WIDTH / 2 / np.tan(np.radians(40)))
    np.testing.assert_array_equal(views(90)["poses"], views(80)["poses"])
    # The border of a wider view lies outside the narrower one: only the middle shows the same depths.
    assert (views(90)["depth"] != views(80)["depth"]).mean() > 0.5


def test_replica_holds_the_same_views(tmp_path: Path, views):
    out = make(tmp_path, "replica")
    sequence, expected = out / ROOM / "Sequence_1", views(90)
    assert sorted(path.name for path in sequence.iterdir()) == [
        "depth", "rgb", "semantic_class", "semantic_instance", "traj_w_c.txt",
    ]  # fmt: skip
    np.testing.assert_array_equal(stack(sequence, "rgb/rgb_{}.png"), expected["color"])
    depth, instance = (stack(sequence, f"{name}/{name}_{{}}.png") for name in ("depth", "semantic_instance"))
    assert depth.dtype == instance.dtype == np.uint16
    np.testing.assert_array_equal(depth, expected["depth"])
    np.testing.assert_array_equal(instance, expected["instance"])
    poses = np.loadtxt(sequence / "traj_w_c.txt").reshape(VIEWS, 4, 4)
    np.testing.assert_array_equal(poses, expected["poses"])


def test_replica_labels_are_its_ids_and_previews_lie_beside_them(tmp_path: Path, views):
    out = make(tmp_path, "replica")
    labels = stack(out / ROOM / "Sequence_1", "semantic_class/semantic_class_{}.png")
    assert labels.dtype == np.uint8
    names = {
        each["id"]: each["name"] for each in json.loads((out / "info_semantic.json").read_text())["classes"]
    }
    assert len(names) == len(CLASS_NAMES) and min(names) > 0 and max(names) <= 101
    assert (names[93], names[40], names[31], names[71], names[44]) == (
        "wall", "floor", "ceiling", "shelf", "indoor-plant",
    )  # fmt: skip
    classes = np.full(102, -1)
    for number, name in names.items():
        classes[number] = CLASS_NAMES.index(REPLICA_NAMES.get(name, name))
    np.testing.assert_array_equal(classes[labels], views(90)["semantic"])
    previews = stack(out / ROOM / "Sequence_1", "semantic_class/vis_sem_class_{}.png")
    assert previews.shape == (VIEWS, HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("degrees", [80, 90])
def test_scannet_holds_the_same_views(tmp_path: Path, views, degrees: int):
    out = make(tmp_path, "scannet", "--field_of_view", str(degrees))
    folder, expected = out / ROOM, views(degrees)
    assert_jpeg_of(stack(folder, "color/{}.jpg"), expected["color"])
    np.testing.assert_array_equal(stack(folder, "depth/{}.png"), expected["depth"])
    labels, instance = stack(folder, "label-filt/{}.png"), stack(folder, "instance-filt/{}.png")
    assert (labels.dtype, instance.dtype) == (np.uint16, np.uint8)
    np.testing.assert_array_equal(scannet_classes(out)[labels], expected["semantic"])
    np.testing.assert_array_equal(instance, expected["instance"])
    poses = np.stack([np.loadtxt(folder / "pose" / f"{number}.txt") for number in range(VIEWS)])
    np.testing.assert_allclose(poses, expected["poses"], rtol=0.0, atol=6e-10)


def test_scannet_intrinsics_have_pixel_centres_at_integers(tmp_path: Path, views):
    folder = make(tmp_path, "scannet") / ROOM / "intrinsic"
    focal = views(80)["focal"]
    intrinsic = [[focal, 0, 15.5, 0], [0, focal, 11.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    for sensor in ("color", "depth"):
        np.testing.assert_allclose(np.loadtxt(folder / f"intrinsic_{sensor}.txt"), intrinsic, atol=1e-8)
        np.testing.assert_array_equal(np.loadtxt(folder / f"extrinsic_{sensor}.txt"), np.eye(4))


class Bytes:
    """Reads little-endian values one after the other."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def take(self, form: str) -> tuple:
        values = struct.unpack_from("<" + form, self.content, self.place)
        self.place += struct.calcsize("<" + form)
        return values

    def matrix(self) -> np.ndarray:
        return np.array(self.take("16f")).reshape(4, 4)


def test_the_sens_file_holds_the_same_views(tmp_path: Path, views):
    scan, expected = make(tmp_path, "scannet_download") / "scans" / ROOM, views(80)
    assert sorted(path.name for path in scan.iterdir()) == [
        f"{ROOM}.sens", f"{ROOM}_2d-instance-filt.zip", f"{ROOM}_2d-label-filt.zip",
    ]  # fmt: skip
    file, focal = Bytes((scan / f"{ROOM}.sens").read_bytes()), expected["focal"]
    version, length = file.take("IQ")
    assert version == 4 and file.take(f"{length}s")[0].isalpha()
    for _ in ("color", "depth"):
        np.testing.assert_allclose(np.diag(file.matrix()), [focal, focal, 1, 1])
        np.testing.assert_array_equal(file.matrix(), np.eye(4))
    assert file.take("ii") == (2, 1)
    assert file.take("4I") == (WIDTH, HEIGHT, WIDTH, HEIGHT)
    assert file.take("fQ") == (1000.0, VIEWS)
    for number in range(VIEWS):
        np.testing.assert_array_equal(file.matrix(), expected["poses"][number])
        *_, color_size, depth_size = file.take("4Q")
        color, depth = file.take(f"{color_size}s{depth_size}s")
        assert_jpeg_of(np.asarray(Image.open(BytesIO(color))), expected["color"][number])
        depth = np.frombuffer(zlib.decompress(depth), "<u2").reshape(HEIGHT, WIDTH)
        np.testing.assert_array_equal(depth, expected["depth"][number])
    assert file.take("Q") == (0,)
    assert file.place == len(file.content)


def test_zip_files_hold_the_label_maps_of_the_unpacked_layout(tmp_path: Path):
    download = make(tmp_path / "download", "scannet_download")
    unpacked = make(tmp_path / "unpacked", "scannet")
    for kind in ("label-filt", "instance-filt"):
        with ZipFile(download / "scans" / ROOM / f"{ROOM}_2d-{kind}.zip") as archive:
            archive.extractall(tmp_path)
        found = stack(tmp_path, f"{kind}/{{}}.png")
        expected = stack(unpacked / ROOM, f"{kind}/{{}}.png")
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    table = "scannetv2-labels.combined.tsv"
    assert (download / table).read_bytes() == (unpacked / table).read_bytes()


@pytest.mark.parametrize("layout", ["rooms", "transforms", "replica", "scannet", "scannet_download"])
def test_a_second_run_leaves_everything_and_makes_what_is_missing(tmp_path: Path, layout: str):
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    make(tmp_path, layout)
    before = times()
    make(tmp_path, layout)
    assert times() == before
    make(tmp_path, layout, seeds=f"{SEED},8,8")
    assert before.items() < times().items()
    assert not list(tmp_path.rglob("*partial*"))


def test_a_folder_of_other_rooms_or_data_is_refused(tmp_path: Path):
    out = str(make(tmp_path, "transforms"))
    sentence = refusal(out, "--layout", "transforms", "--field_of_view", "90")
    assert "field_of_view 80" in sentence and "field_of_view 90" in sentence and "made_with.txt" in sentence
    assert "other rooms" in refusal(out, "--layout", "scannet")
    real = tmp_path / "real"
    real.mkdir()
    (real / "scannetv2-labels.combined.tsv").write_text("id\traw_category\n1\twall\n")
    assert "another data set" in refusal(str(real), "--layout", "scannet")
    assert [path.name for path in real.iterdir()] == ["scannetv2-labels.combined.tsv"]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("--layout", "replica", "--field_of_view", "80"), "expected 90 degrees .* replica, found 80;"),
        (("--layout", "rooms", "--field_of_view", "90"), "expected 80 degrees .* rooms, found 90;"),
        (("--layout", "scannet", "--field_of_view", "180"), "expected 1 to 170 degrees, found '180'"),
        (("--layout", "scannet", "--field_of_view", "wide"), "expected 1 to 170 degrees, found 'wide'"),
        (("--layout", "matterport"), "matterport.*replica"),
        (("--layout", "replica", "--rooms", "kitchen"), "seeds such as 0-3,7, found 'kitchen'"),
        (("--layout", "replica", "--rooms", "3-1"), "seeds such as 0-3,7, found '3-1'"),
        (("--layout", "replica", "--workers", "2"), "--workers"),
        ((), "--layout"),
    ],
)
def test_bad_options_get_a_sentence(tmp_path: Path, arguments: tuple[str, ...], expected: str):
    sentence = refusal(str(tmp_path / "out"), *arguments)
    assert re.search(expected, sentence) and sentence.endswith(".")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("layout", ["rooms", "replica"])
def test_a_folder_that_cannot_be_made_gets_a_sentence(tmp_path: Path, layout: str):
    (tmp_path / "file").write_text("")
    sentence = refusal(str(tmp_path / "file" / "out"), "--layout", layout, "--rooms", str(SEED))
    assert "cannot be written" in sentence


def test_the_script_makes_several_rooms_and_says_how_to_read_them(tmp_path: Path, views):
    out = tmp_path / "my rooms"
    stderr = run_here("scripts/make_rooms.py", out, "--layout", "replica", "--rooms", f"6-{SEED}", *SIZES)
    assert "Making rooms" in stderr
    colors = stack(out / ROOM / "Sequence_1", "rgb/rgb_{}.png")
    np.testing.assert_array_equal(colors, views(90)["color"])
    assert (out / "room_0006" / "Sequence_1" / "traj_w_c.txt").is_file()


@pytest.mark.parametrize(
    "layout, expected",
    [
        ("rooms", "--test_scenes 7 --height 24 --width 32 --views_per_room 3"),
        ("transforms", "--test_scenes room_0007"),
        ("replica", "--test_scenes room_0007/Sequence_1"),
        ("scannet", "--test_scenes room_0007"),
    ],
)
def test_the_last_line_names_the_options_that_read_the_rooms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str, expected: str
):
    out = make(tmp_path / "my rooms", layout)
    line = capsys.readouterr().out
    assert line.endswith(f"--dataset {layout} --data_root '{out}' {expected}\n")


def test_the_last_line_says_how_a_download_is_unpacked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = make(tmp_path / "rooms", "scannet_download")
    line = capsys.readouterr().out
    assert f"python scripts/prepare_scannet.py {out} {out}/exported" in line
    assert line.endswith(f"--dataset scannet --data_root {out}/exported --test_scenes room_0007\n")
