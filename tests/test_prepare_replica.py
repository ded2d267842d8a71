"""Replica's download: zips and folders become one data set; damage is reported, the rest is in place."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from script_runs import only_sentence, run_here

from gpnerf.media.images import read_image
from gpnerf.preparation.replica_download import target_of
from gpnerf.system.errors import ConfigError, DataError
from scripts import prepare_replica

HEIGHT, WIDTH = 6, 8
FRAMES = 4
RELEASE = "Replica_Dataset/office_0/Sequence_1"


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def sequence(folder: str, start: int = 0) -> dict[str, bytes]:
    """Names and contents of a sequence as released: colours, depth, classes, a preview, poses."""
    files = {f"{folder}/traj_w_c.txt": b"1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n" * FRAMES}
    for number in range(FRAMES):
        value = start + number
        color = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
        color[:, ::2] += 100
        files[f"{folder}/rgb/rgb_{number}.png"] = png(color)
        files[f"{folder}/depth/depth_{number}.png"] = png(np.full((HEIGHT, WIDTH), 1000 + value, np.uint16))
        labels = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
        files[f"{folder}/semantic_class/semantic_class_{number}.png"] = png(labels)
        files[f"{folder}/semantic_class/vis_sem_class_{number}.png"] = png(color)
    return files


def instances(folder: str) -> dict[str, bytes]:
    ids = np.full((HEIGHT, WIDTH), 300, np.uint16)
    return {f"{folder}/semantic_instance_{number}.png": png(ids + number) for number in range(FRAMES)}


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """Two zips with three sequences of two scenes, the instance labels of one, and the class names."""
    folder = tmp_path / "download"
    write_zip(
        folder / "Replica_Dataset.zip",
        sequence(RELEASE) | sequence("Replica_Dataset/office_0/Sequence_2", 20),
    )
    write_zip(folder / "more" / "room_1.zip", sequence("Sequence_1", 40))
    labels = instances("office_0/Sequence_1/semantic_instance") | {"office_0/ins_rgb.hdf5": b"colours"}
    write_zip(folder / "Instances.ZIP", labels)
    write_zip(folder / "semantic_json.zip", {"semantic_json/info_semantic.json": b'{"classes": []}'})
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def prepare(download: Path, out: Path, *more: str) -> dict[str, bytes]:
    assert prepare_replica.main([str(download), str(out), *more]) == 0
    return tree(out)


def test_zips_become_the_data_set(download: Path, tmp_path: Path, capsys):
    found = prepare(download, tmp_path / "replica")
    expected = {f"office_0/Sequence_1/{name[len(RELEASE) + 1 :]}": c for name, c in sequence(RELEASE).items()}
    expected |= sequence("office_0/Sequence_2", 20) | sequence("room_1/Sequence_1", 40)
    expected |= instances("office_0/Sequence_1/semantic_instance")
    expected = {name: content for name, content in expected.items() if "vis_sem" not in name}
    assert found == expected | {"info_semantic.json": b'{"classes": []}'}
    assert capsys.readouterr().out.splitlines() == [
        "office_0: Sequence_1 4 frames with depth, semantic_class, semantic_instance; "
        "Sequence_2 4 frames with depth, semantic_class",
        "room_1: Sequence_1 4 frames with depth, semantic_class",
        f"Next: python scripts/check_data.py {tmp_path / 'replica'}",
    ]


def test_unpacked_folders_are_linked_and_give_the_same(download: Path, tmp_path: Path):
    unpacked = tmp_path / "unpacked"
    for path in filter(zipfile.is_zipfile, download.rglob("*.*")):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(unpacked / ("room_1" if path.stem == "room_1" else ""))
    assert prepare(unpacked, tmp_path / "linked") == prepare(download, tmp_path / "zipped")
    poses = tmp_path / "linked" / "room_1" / "Sequence_1" / "traj_w_c.txt"
    assert poses.samefile(unpacked / "room_1" / "Sequence_1" / "traj_w_c.txt")


def test_files_are_copied_where_they_cannot_be_linked(tmp_path: Path, monkeypatch):
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    folder = write_folder(tmp_path / "download", sequence("office_0/Sequence_1"))
    found = prepare(folder, tmp_path / "replica")
    assert len(found) == 3 * FRAMES + 1
    assert found.items() <= tree(folder).items()


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("x.d/room_2/Sequence_2/depth/depth_17.png", "room_2/Sequence_2/depth/depth_17.png"),
        ("office_0/rgb/rgb_0.png", "office_0/Sequence_1/rgb/rgb_0.png"),
        (
            "room_0/Instances/office_4/semantic_instance/semantic_instance_899.png",
            "office_4/Sequence_1/semantic_instance/semantic_instance_899.png",
        ),
        ("office_0/traj_w_c.txt", "office_0/Sequence_1/traj_w_c.txt"),
        ("replica_v1/office_0/habitat/info_semantic.json", "office_0/info_semantic.json"),
        ("semantic_json/info_semantic.json", "info_semantic.json"),
        ("room_2/Sequence_2/semantic_class/vis_sem_class_1.png", None),
        ("__MACOSX/room_2/Sequence_2/rgb/._rgb_1.png", None),
        ("room_2/Sequence_2/rgb/rgb_01.png", None),
        ("apartment_0/Sequence_1/rgb/rgb_1.png", None),
        ("office_0/ins_rgb.hdf5", None),
    ],
)
def test_places_are_told_by_the_name_and_the_folders(place, target):
    assert target_of(place) == (target and Path(target))


def test_scenes_and_every_nth_frame(download: Path, tmp_path: Path):
    found = prepare(download, tmp_path / "replica", "--scenes", "room_1", "--every", "3")
    assert {name for name in found if "rgb" in name} == {
        "room_1/Sequence_1/rgb/rgb_0.png",
        "room_1/Sequence_1/rgb/rgb_3.png",
    }
    assert {name.split("/")[0] for name in found} == {"room_1", "info_semantic.json"}
    # Row N belongs to frame N, so the poses stay whole.
    assert found["room_1/Sequence_1/traj_w_c.txt"].count(b"\n") == FRAMES


def test_colours_are_averaged_and_maps_are_not(download: Path, tmp_path: Path):
    prepare(download, tmp_path / "replica", "--height", "3", "--width", "4", "--scenes", "office_0")
    folder = tmp_path / "replica" / "office_0" / "Sequence_1"
    # Columns of 102 and 2 alternate in frame 2.
    assert (read_image(folder / "rgb" / "rgb_2.png") == 52).all()
    depth = read_image(folder / "depth" / "depth_2.png")
    assert (depth.dtype, depth.shape, set(depth.ravel())) == (np.uint16, (3, 4), {1002})
    labels = read_image(folder / "semantic_class" / "semantic_class_2.png")
    # Of pixels 2i and 2i + 1, whose centres are equally near, the second is taken; 8 pixels to a row.
    assert labels.tolist() == [[9, 11, 13, 15], [25, 27, 29, 31], [41, 43, 45, 47]]
    assert read_image(folder / "semantic_instance" / "semantic_instance_1.png").max() == 301
    assert not list(folder.rglob("*.partial"))


def test_the_same_command_goes_on_and_keeps_what_is_there(download: Path, tmp_path: Path):
    out = tmp_path / "replica"
    first = prepare(download, out)
    missing, kept = out / "room_1/Sequence_1/rgb/rgb_1.png", out / "room_1/Sequence_1/rgb/rgb_2.png"
    missing.unlink()
    before = kept.stat().st_mtime_ns
    assert prepare(download, out) == first
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("folder", ["replica", "."])
def test_the_result_may_lie_in_the_download(folder: str, download: Path):
    size = ("--height", "3", "--width", "4")
    first = prepare(download, download / folder, *size)
    assert "room_1/Sequence_1/rgb/rgb_0.png" in first
    assert prepare(download, download / folder, *size) == first


@pytest.mark.parametrize(
    ("first", "second"), [((), ("--height", "3", "--width", "4")), (("--height", "3", "--width", "4"), ())]
)
def test_sizes_are_not_mixed(first, second, download: Path, tmp_path: Path):
    prepare(download, tmp_path / "replica", *first)
    with pytest.raises(ConfigError, match=r"_0\.png: .*another version; repeat the --height"):
        prepare(download, tmp_path / "replica", *second)


def test_a_damaged_member_and_a_truncated_zip_are_reported_and_the_rest_is_there(
    download: Path, tmp_path: Path, caplog, capsys
):
    path = download / "more" / "room_1.zip"
    content = sequence("Sequence_1", 40)["Sequence_1/depth/depth_1.png"]
    path.write_bytes(path.read_bytes().replace(content, content[:-20] + b"x" * 20))
    whole = (download / "Instances.ZIP").read_bytes()
    (download / "Instances.ZIP").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="2 parts of .* cannot be used, such as .*Instances.ZIP.*run again"):
        prepare(download, tmp_path / "replica")
    assert "Instances.ZIP cannot be opened as a zip" in caplog.text
    assert "Sequence_1/depth/depth_1.png of" in caplog.text
    names = tree(tmp_path / "replica").keys()
    assert "room_1/Sequence_1/depth/depth_2.png" in names
    assert not any("instance" in name or "depth_1.png" in name and "room_1" in name for name in names)
    assert "room_1: Sequence_1 4 frames with depth (3), semantic_class" in capsys.readouterr().out


def test_a_zip_cut_at_any_length_leads_to_a_sentence(tmp_path: Path):
    path = write_zip(tmp_path / "download" / "a.zip", {"office_0/traj_w_c.txt": b"1 0 0 0"})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="cannot be opened as a zip"):
            prepare(path.parent, tmp_path / "replica")
    assert not tree(tmp_path / "replica")


def test_a_file_that_is_no_image_is_reported_when_it_is_resized(tmp_path: Path, caplog):
    files = sequence("office_0/Sequence_1")
    files["office_0/Sequence_1/rgb/rgb_0.png"] = b"text"
    write_zip(tmp_path / "download" / "a.zip", files)
    with pytest.raises(DataError, match=r"rgb_0\.png of .*a\.zip cannot be decoded as an image"):
        prepare(tmp_path / "download", tmp_path / "replica", "--height", "3", "--width", "4")
    assert len(tree(tmp_path / "replica")) == 3 * FRAMES


@pytest.mark.parametrize(
    "name", ["../office_0/Sequence_1/rgb/rgb_9.png", "/office_0/rgb/rgb_9.png", r"..\office_0\rgb\rgb_9.png"]
)
def test_members_that_leave_the_zip_are_refused(name, download: Path, tmp_path: Path):
    write_zip(download / "evil.zip", {name: b"x"})
    with pytest.raises(DataError, match=r"1 parts .*rgb_9\.png of .*evil\.zip points outside of the zip"):
        prepare(download, tmp_path / "replica")
    assert not list(tmp_path.rglob("rgb_9.png"))
    assert (tmp_path / "replica/office_0/Sequence_1/rgb/rgb_3.png").is_file()


def test_a_zip_in_a_zip_is_named(download: Path, tmp_path: Path):
    write_zip(download / "all.zip", {"office_1.zip": b"PK"})
    with pytest.raises(
        DataError, match=r"office_1\.zip of .*all\.zip is a zip in a zip: unpack the outer one"
    ):
        prepare(download, tmp_path / "replica")


@pytest.mark.parametrize("write", [write_zip, write_folder])
def test_two_versions_of_a_file_are_refused_by_both_names(write: Callable, download: Path, tmp_path: Path):
    files = sequence("office_0/Sequence_1")
    files["office_0/Sequence_1/depth/depth_2.png"] += b"\0"
    write(download / "again.zip" if write is write_zip else download, files)
    pattern = r"found 1 in two that differ, such as office_0/Sequence_1/depth/depth_2\.png from .* and from "
    with pytest.raises(DataError, match=pattern) as caught:
        prepare(download, tmp_path / "replica")
    assert "Replica_Dataset.zip" in str(caught.value)
    assert ("again.zip" if write is write_zip else f"{download}/office_0") in str(caught.value)
    assert not tree(tmp_path / "replica")


def test_the_same_file_twice_is_no_fault(download: Path, tmp_path: Path):
    first = prepare(download, tmp_path / "replica")
    shutil.copy(download / "Replica_Dataset.zip", download / "copy.zip")
    write_folder(download, sequence("office_0/Sequence_1"))
    assert prepare(download, tmp_path / "again") == first


def test_class_names_of_all_scenes_may_come_without_a_scene_folder(tmp_path: Path):
    files = sequence("office_0/Sequence_1")
    files |= {"json/apartment_0/info_semantic.json": b"{}", "json/hotel_0/info_semantic.json": b"[1]"}
    write_zip(tmp_path / "download" / "a.zip", files)
    assert prepare(tmp_path / "download", tmp_path / "replica")["info_semantic.json"] == b"{}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--every", "0"), "--every: expected a whole number of at least 1, found '0'"),
        (("--height", "240"), "found 240 and None; take for example 240 and 320"),
        (("--height", "240", "--width", "240"), "in the ratio 3 to 4, found 240 and 240"),
        (("--height", "0", "--width", "0"), "--height: expected a whole number of at least 1, found '0'"),
    ],
)
def test_wrong_options_are_sentences(arguments, sentence, download: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=sentence):
        prepare(download, tmp_path / "replica", *arguments)


def test_a_scene_that_is_not_there(download: Path, tmp_path: Path):
    with pytest.raises(DataError, match="expected the scenes office_3, room_7, with files"):
        prepare(download, tmp_path / "replica", "--scenes", "office_0,room_7,office_3")


def test_a_folder_without_replica(tmp_path: Path):
    write_zip(tmp_path / "download" / "a.zip", {"readme.txt": b""})
    with pytest.raises(DataError, match="expected zips or folders of Replica, .* found none"):
        prepare(tmp_path / "download", tmp_path / "replica")


def test_a_full_disk_is_noticed_beforehand(download: Path, tmp_path: Path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 0, 100))
    with pytest.raises(ConfigError, match="GB of free disk, found 0.0 GB; .*--scenes"):
        prepare(download, tmp_path / "replica")
    assert not tree(tmp_path / "replica")


def test_the_script_says_its_fault_in_a_sentence(tmp_path: Path):
    stderr = run_here("scripts/prepare_replica.py", tmp_path / "nowhere", tmp_path / "replica", code=2)
    assert "expected the folder of the zips, found none" in only_sentence(stderr)
