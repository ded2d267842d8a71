"""From the official ScanNet download to folders: exact contents, resuming, and faults as sentences."""

from __future__ import annotations

import errno
import json
import logging
import shutil
import signal
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from script_runs import only_sentence, run_here
from sens_writer import (
    SensFile,
    depth_map,
    image_bytes,
    instance_png,
    label_png,
    picture,
    write_zip,
)

from gpnerf.media.images import read_image
from gpnerf.preparation.scannet_download import export_scene
from gpnerf.preparation.scannet_survey import SceneJob, survey
from gpnerf.system.errors import ConfigError, DataError
from scripts import prepare_scannet

NAME = "scene0000_00"
LABEL_MAP = prepare_scannet.LABEL_MAP


@pytest.fixture(autouse=True)
def signals_restored() -> Iterator[None]:
    """The script takes over Ctrl-C and SIGTERM."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """The download of one scene with six labelled frames."""
    folder = tmp_path / "download"
    add_scene(folder, NAME)
    (folder / LABEL_MAP).write_text("id\tnyu40id\n")
    return folder


def add_scene(download: Path, name: str, maps: bool = True, **fields: Any) -> Path:
    """Writes a scene of the download; returns its .sens file."""
    sens = download / "scans" / name / f"{name}.sens"
    sens.parent.mkdir(parents=True, exist_ok=True)
    file = SensFile(**fields)
    sens.write_bytes(file.data())
    if maps:
        for kind, png in (("label-filt", label_png), ("instance-filt", instance_png)):
            members = {f"{kind}/{number}.png": png(number) for number in range(file.frames)}
            write_zip(sens.with_name(f"{name}_2d-{kind}.zip"), members)
    return sens


def prepare(download: Path, *arguments: Any) -> Path:
    """Runs the script on a folder beside the download, and returns that folder."""
    out = download.parent / "out"
    assert prepare_scannet.main([str(download), str(out), "--workers", "1", *map(str, arguments)]) == 0
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def times(folder: Path) -> dict[str, int]:
    paths = [path for path in folder.rglob("*.*") if path.name != "prepared.json"]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in paths}


def test_files_are_those_of_the_download(download: Path):
    scene = prepare(download) / NAME
    assert sorted(path.name for path in scene.iterdir()) == sorted(
        ["color", "depth", "instance-filt", "intrinsic", "label-filt", "pose", "prepared.json"]
    )
    for number in range(6):
        assert (scene / "color" / f"{number}.jpg").read_bytes() == image_bytes(picture(number))
        assert (scene / "label-filt" / f"{number}.png").read_bytes() == label_png(number)
        assert (scene / "instance-filt" / f"{number}.png").read_bytes() == instance_png(number)
        depth = read_image(scene / "depth" / f"{number}.png")
        assert depth.dtype == np.uint16
        np.testing.assert_array_equal(depth, depth_map(number))
    assert (download.parent / "out" / LABEL_MAP).read_text() == "id\tnyu40id\n"


def test_matrices_are_text_with_six_decimals_and_lost_poses_stay(download: Path):
    add_scene(download, NAME, poses={3: np.full((4, 4), -np.inf), 4: np.full((4, 4), np.nan)})
    scene = prepare(download) / NAME
    assert (scene / "pose" / "1.txt").read_text().splitlines() == [
        "1.000000 0.000000 0.000000 0.250000",
        "0.000000 1.000000 0.000000 0.000000",
        "0.000000 0.000000 1.000000 0.000000",
        "0.000000 0.000000 0.000000 1.000000",
    ]
    assert np.all(np.loadtxt(scene / "pose" / "3.txt") == -np.inf)
    assert np.all(np.isnan(np.loadtxt(scene / "pose" / "4.txt")))
    lines = (scene / "intrinsic" / "intrinsic_color.txt").read_text().splitlines()
    assert lines[:2] == ["12.000000 0.000000 7.500000 0.000000", "0.000000 13.000000 5.500000 0.000000"]
    assert np.all(np.loadtxt(scene / "intrinsic" / "extrinsic_depth.txt") == np.eye(4))


def test_every_third_frame_keeps_its_number(download: Path):
    scene = prepare(download, "--every", 3) / NAME
    for kind in ("color", "depth", "pose", "label-filt", "instance-filt"):
        assert sorted(path.stem for path in (scene / kind).iterdir()) == ["0", "3"]
    assert (scene / "color" / "3.jpg").read_bytes() == image_bytes(picture(3))
    assert (scene / "label-filt" / "3.png").read_bytes() == label_png(3)


def test_resizing_scales_pixels_and_both_intrinsics_per_axis(download: Path):
    gradient = np.add.outer(5 * np.arange(12), 5 * np.arange(16)).astype(np.uint8)
    add_scene(download, NAME, colors={0: image_bytes(np.stack([gradient] * 3, axis=-1))})
    scene = prepare(download, "--height", 3, "--width", 8) / NAME
    # Colour 16x12 -> 8x3: ratios 1/2 and 1/4. cx = (7.5 + 0.5) / 2 - 0.5, cy = (5.5 + 0.5) / 4 - 0.5.
    intrinsics = np.loadtxt(scene / "intrinsic" / "intrinsic_color.txt")
    np.testing.assert_allclose(intrinsics, [[6, 0, 3.5, 0], [0, 3.25, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    # Depth 8x6 -> 8x3: ratios 1 and 1/2.
    intrinsics = np.loadtxt(scene / "intrinsic" / "intrinsic_depth.txt")
    np.testing.assert_allclose(intrinsics, [[6, 0, 3.5, 0], [0, 3.25, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    # Means over 4 rows and 2 columns of a gradient of 5 per pixel: 7.5 + 2.5 in the corner.
    color = read_image(scene / "color" / "0.jpg").astype(int)
    assert color.shape == (3, 8, 3)
    means = np.add.outer(20 * np.arange(3), 10 * np.arange(8)) + 10
    assert np.abs(color - means[..., None]).max() <= 3
    depth = read_image(scene / "depth" / "1.png")
    assert depth.dtype == np.uint16 and depth.shape == (3, 8)
    np.testing.assert_array_equal(depth, depth_map(1)[1::2])
    labels = read_image(scene / "label-filt" / "2.png")
    assert labels.dtype == np.uint16 and labels.shape == (3, 8)
    assert set(labels.flatten()) == {1, 1357, 302, 0}
    np.testing.assert_array_equal(read_image(scene / "instance-filt" / "5.png"), np.full((3, 8), 5, np.uint8))


def test_a_second_run_writes_only_what_is_missing(download: Path):
    scene = prepare(download) / NAME
    first, before = contents(scene), times(scene)
    gone = ["color/2.jpg", "label-filt/4.png"]
    for name in gone:
        (scene / name).unlink()
    (scene / "pose" / "5.txt").write_bytes(b"")
    (scene / "intrinsic" / "extrinsic_color.txt").unlink()
    gone += ["pose/5.txt", "intrinsic/extrinsic_color.txt"]
    prepare(download)
    assert contents(scene) == first
    after = times(scene)
    assert sorted(name for name in after if after[name] != before[name]) == sorted(gone)


def test_zips_downloaded_later_are_added(download: Path, caplog):
    sens = add_scene(download, NAME)
    zips = {path: path.read_bytes() for path in sens.parent.glob("*.zip")}
    for path in zips:
        path.unlink()
    with caplog.at_level(logging.INFO):
        scene = prepare(download) / NAME
    assert "No <scene>_2d-label-filt.zip" in caplog.text and "--type _2d-instance-filt.zip" in caplog.text
    assert not (scene / "label-filt").exists()
    before = times(scene)
    for path, data in zips.items():
        path.write_bytes(data)
    # What is in the .sens file is no longer needed.
    sens.write_bytes(SensFile(colors=dict.fromkeys(range(6), b"broken")).data())
    prepare(download)
    after = times(scene)
    assert {name: after[name] for name in before} == before
    assert len(after) - len(before) == 12


def test_a_stopped_export_goes_on_to_the_same_files(download: Path, tmp_path: Path):
    whole = contents(prepare(download) / NAME)
    job = SceneJob(download / "scans" / NAME / f"{NAME}.sens", tmp_path / "again", 1, None)
    ticks: list[int] = []
    assert export_scene(job, lambda: ticks.append(1), lambda: len(ticks) == 2) == []
    assert len(ticks) == 2 and len(list((job.folder / "color").iterdir())) == 2
    assert export_scene(job, lambda: ticks.append(1), lambda: False) == []
    assert len(ticks) == 6
    assert contents(job.folder) == whole


def test_frames_of_other_options_are_not_kept_silently(download: Path):
    scene = prepare(download, "--every", 4) / NAME
    prepare(download, "--every", 2)
    assert sorted(path.stem for path in (scene / "pose").iterdir()) == ["0", "2", "4"]
    for arguments in (["--every", 4], ["--every", 2, "--height", 6, "--width", 8]):
        with pytest.raises(DataError, match="1 of 1 scenes are incomplete"):
            prepare(download, *arguments)
    job = SceneJob(download / "scans" / NAME / f"{NAME}.sens", scene, 2, (6, 8))
    for text in ('{"every": 2}', "[]", '{"every": "2", "height": 6, "width": 8}', ""):
        (scene / "prepared.json").write_text(text)
        with pytest.raises(
            DataError, match="expected frames written with --every 2 --height 6 --width 8, found"
        ):
            export_scene(job, list, bool)
    (scene / "prepared.json").unlink()
    with pytest.raises(DataError, match="found unknown options; remove the folder, repeat the options"):
        export_scene(job, list, bool)


def test_a_cut_off_recording_stops_neither_the_others_nor_its_second_run(download: Path, caplog):
    sens = add_scene(download, "scene0001_00")
    whole = sens.read_bytes()
    sens.write_bytes(whole[: len(whole) // 2])
    broken_header = add_scene(download, "scene0002_00")
    broken_header.write_bytes(whole[:100])
    with pytest.raises(DataError, match=r"2 of 3 scenes are incomplete.*scene0002_00, scene0001_00"):
        prepare(download)
    assert "scene0001_00.sens, frame 2: expected" in caplog.text
    assert "scene0002_00.sens, header: expected" in caplog.text
    out = download.parent / "out"
    assert len(list((out / NAME / "color").iterdir())) == 6
    assert len(list((out / "scene0001_00" / "color").iterdir())) == 2
    sens.write_bytes(whole)
    broken_header.write_bytes(whole)
    prepare(download)
    assert contents(out / "scene0001_00") == contents(out / "scene0002_00") == contents(out / NAME)


def test_frames_with_a_broken_image_are_left_out_and_named(download: Path, caplog):
    add_scene(download, NAME, colors={1: b"none", 4: b"none"}, depths={2: b"none"})
    with pytest.raises(DataError, match="incomplete for the reasons above"):
        prepare(download)
    assert "frame 1: expected a jpeg" in caplog.text and f"2 more frames of {NAME}" in caplog.text
    scene = download.parent / "out" / NAME
    for kind in ("color", "depth", "pose", "label-filt", "instance-filt"):
        assert sorted(path.stem for path in (scene / kind).iterdir()) == ["0", "3", "5"]


def test_a_damaged_zip_breaks_its_scene_alone(download: Path, caplog):
    sens = add_scene(download, "scene0001_00")
    archive = sens.with_name("scene0001_00_2d-label-filt.zip")
    archive.write_bytes(archive.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"1 of 2 scenes are incomplete.*scene0001_00"):
        prepare(download)
    assert "scene0001_00_2d-label-filt.zip: expected a zip file, found a damaged one" in caplog.text
    assert not (download.parent / "out" / "scene0001_00").exists()
    assert (download.parent / "out" / NAME / "color" / "5.jpg").is_file()


def test_frames_without_a_label_are_counted_and_do_not_come_back(download: Path, caplog):
    archive = download / "scans" / NAME / f"{NAME}_2d-label-filt.zip"
    write_zip(archive, {f"label-filt/{number}.png": label_png(number) for number in (0, 1, 5)})
    scene = prepare(download) / NAME
    assert "lacks 3 of the kept frames" in caplog.text
    assert sorted(path.stem for path in (scene / "label-filt").iterdir()) == ["0", "1", "5"]
    with caplog.at_level(logging.INFO):
        prepare(download)
    assert "0 frames of 0 scenes to write: about 0 MB" in caplog.text


def test_a_full_disk_leaves_no_half_file_and_the_next_run_goes_on(download: Path, monkeypatch):
    write_bytes = Path.write_bytes
    written: list[Path] = []

    def write_until_full(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) == 12:
            write_bytes(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_until_full)
        with pytest.raises(
            ConfigError, match="room on the disk, found none.*make room and run the same command"
        ):
            prepare(download)
    out = download.parent / "out"
    assert len(written) == 12
    assert not list(out.rglob("*.partial")) and not list(out.rglob(written[-1].stem))
    prepare(download)
    reference = SceneJob(download / "scans" / NAME / f"{NAME}.sens", out.parent / "reference", 1, None)
    export_scene(reference, list, bool)
    assert contents(out / NAME) == contents(reference.folder)


def test_too_little_space_is_refused_before_anything_is_written_unless_all_is_done(
    download: Path, monkeypatch, caplog
):
    usage = namedtuple("usage", "total used free")
    sens = download / "scans" / NAME / f"{NAME}.sens"
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, sens.stat().st_size))
        with pytest.raises(
            ConfigError, match=r"out: expected about \d MB of free disk, found \d MB; make room"
        ):
            prepare(download)
        assert not (download.parent / "out" / NAME).exists()
    prepare(download)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, 0))
    prepare(download)


@pytest.mark.parametrize("size", [None, (60, 80)])
def test_the_estimate_is_not_below_what_is_written(download: Path, size):
    job = SceneJob(download / "scans" / NAME / f"{NAME}.sens", download.parent / "out", 1, size)
    estimate = survey(job).needed_bytes
    export_scene(job, list, bool)
    written = [path.stat() for path in job.folder.rglob("*.*")]
    assert sum(stat.st_size for stat in written) < estimate
    assert survey(job).needed_bytes == 0 and survey(job).complete


def test_the_label_map_is_found_near_the_download_or_a_warning_names_it(download: Path, caplog):
    out = download.parent / "out"
    assert prepare_scannet.main([str(download / "scans"), str(out), "--workers", "1"]) == 0
    assert (out / LABEL_MAP).is_file()
    (out / LABEL_MAP).unlink()
    (download / LABEL_MAP).rename(download / "scans" / LABEL_MAP)
    prepare(download)
    assert (out / LABEL_MAP).is_file()
    (out / LABEL_MAP).unlink()
    (download / "scans" / LABEL_MAP).unlink()
    prepare(download)
    assert f"expected {LABEL_MAP}" in caplog.text and "--label_map" in caplog.text


def test_scenes_are_chosen_by_list_or_file(download: Path):
    for name in ("scene0001_00", "scene0002_00", "scene0003_00"):
        add_scene(download, name, frames=1)
    chosen = download.parent / "chosen.txt"
    chosen.write_text(f"# two scenes\nscene0003_00  # the last\n\n{NAME}\n{NAME}\n")
    prepare(download, "--scenes", chosen)
    out = download.parent / "out"
    assert {path.name for path in out.iterdir() if path.is_dir()} == {NAME, "scene0003_00"}
    prepare(download, "--scenes", f"{NAME}, scene0001_00")
    assert (out / "scene0001_00").is_dir() and not (out / "scene0002_00").exists()


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--scenes", f"{NAME},scene0009_00"], "found none for scene0009_00; download .* --id"),
        (["--scenes", "nowhere.txt"], "--scenes: expected a file of scene names, found no nowhere.txt"),
        (["--height", "240"], "Expected --height and --width together"),
        (["--height", "0", "--width", "8"], "--height: expected a whole number of at least 1, found '0'"),
        (["--height", "8", "--width", "9000"], "Expected --height and --width up to 8192, found more"),
        (["--every", "0"], "--every: expected a whole number of at least 1, found '0'"),
        (["--workers", "-1"], "--workers: expected a whole number of at least 1, found '-1'"),
    ],
)
def test_wrong_options_are_sentences(download: Path, arguments, sentence):
    with pytest.raises((ConfigError, DataError), match=sentence):
        prepare(download, *arguments)


def test_other_folders_are_sentences(download: Path, tmp_path: Path):
    with pytest.raises(DataError, match="expected the folder of the download, found none"):
        prepare(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected scans/<scene>/<scene>\.sens in it, found none"):
        prepare(tmp_path / "empty")
    with pytest.raises(ConfigError, match="is the folder of the download"):
        prepare_scannet.main([str(download), str(download / "scans")])


def test_the_script_runs_in_several_processes_and_ends_with_a_sentence(download: Path):
    add_scene(download, "scene0001_00", frames=2, colors={1: b"none"})
    out = download.parent / "out"
    stderr = run_here("scripts/prepare_scannet.py", download, out, "--workers", 2, code=2)
    assert "1 of 2 scenes are incomplete" in only_sentence(stderr)
    assert "scene0001_00.sens, frame 1: expected a jpeg" in stderr
    assert len(list((out / NAME / "label-filt").iterdir())) == 6
    assert json.loads((out / NAME / "prepared.json").read_text())["every"] == 1
