"""Poses of photographs that have none: what is searched, what is found, and a sentence for all that fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pose_error
import pytest
import torch
from image_files import encoded
from script_runs import only_sentence, refusal, run_here
from test_photographs import with_orientation
from test_video import smooth_frames
from textured_box import FOCAL, HEIGHT, WIDTH, box_photograph, pose_on_walk

from gpnerf.datasets.transforms.loader import index_scene
from gpnerf.media.images import image_size, write_image
from gpnerf.media.video import write_video
from gpnerf.preparation.poses import target
from gpnerf.preparation.poses.gather import copy_photographs, save_frames, source_files
from gpnerf.preparation.poses.outcome import Evidence, check_found, sentences
from gpnerf.system.errors import ConfigError, DataError, Faults

SCRIPT = "scripts/find_poses.py"
VIEWS = 8


def check_here(command: Sequence[str]) -> int:
    """Stands in for subprocess.call, with which the script starts check_data.py."""
    assert Path(command[1]).name == "check_data.py"
    run_here("scripts/check_data.py", *command[2:], "--num_source_views", "2")
    return 0


def find(source: Path, scene: Path, *options: str) -> str:
    with mock.patch("subprocess.call", check_here):
        return run_here(SCRIPT, source, scene, *options)


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> Path:
    """A folder in which photos/ has a walk through the box, and what people's folders have besides.

    5.jpg lies on its side, 6.png is narrower, alien.png is from elsewhere, broken.jpg is cut off.
    """
    folder = tmp_path_factory.mktemp("walk")
    photographs = [box_photograph(pose_on_walk(step)) for step in range(VIEWS)]
    photographs[6] = photographs[6][:, 20:-20]
    for number in {*range(VIEWS)} - {5}:
        write_image(folder / "photos" / f"{number}.png", photographs[number])
    (folder / "photos" / "5.jpg").write_bytes(with_orientation(photographs[5], 6, "JPEG"))
    write_image(folder / "photos" / "alien.png", box_photograph(pose_on_walk(0), seed=1))
    write_image(folder / "photos" / "plain.png", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    (folder / "photos" / "broken.jpg").write_bytes(encoded(photographs[0], "JPEG")[:3000])
    (folder / "photos" / "notes.txt").write_text("of a day")
    return folder


def test_photographs_become_a_scene_with_the_poses_of_the_walk(walk, monkeypatch):
    pytest.importorskip("pycolmap")
    monkeypatch.chdir(walk)
    said = find(walk / "photos", walk / "scene")
    assert "broken.jpg: expected an image, found a JPEG that is cut off or damaged" in said
    assert "these files are no photographs, and left out: notes.txt." in said
    assert "1 photographs are turned upright, as their EXIF orientation says: 5.jpg." in said
    # Those without EXIF data, the narrower one, and the one whose EXIF data state a focal length.
    assert "The photographs have 3 different sizes or focal lengths" in said
    assert "they show nothing that others show too: alien.png." in said
    assert "they show too little, fewer than 15 features: plain.png." in said
    assert "Matching 10 photographs, 45 pairs" in said and "8 of 10 photographs have poses; " in said
    assert sorted(path.name for path in walk.iterdir()) == ["out", "photos", "scene"]
    assert "Faults: none" in (walk / "out" / "check_data" / "scene" / "report.txt").read_text()

    faults = Faults()
    index = index_scene(walk / "scene", faults)
    assert not faults.sentences and index.names == tuple(map(str, range(VIEWS)))
    true = torch.stack([pose_on_walk(step) for step in range(VIEWS)]).double().numpy()
    degrees, shares = pose_error.errors(index.poses, true)
    assert degrees.max() < 0.5 and shares.max() < 0.01
    np.testing.assert_allclose(index.intrinsics[:, 0, 0], FOCAL, rtol=0.02)
    assert index.sizes[[0, 5, 6]].tolist() == [[HEIGHT, WIDTH], [HEIGHT, WIDTH], [HEIGHT, WIDTH - 40]]
    assert image_size(walk / "scene" / "images" / "5.jpg") == (HEIGHT, WIDTH)
    # The walls are at most 7 m away, and the unit is that of the model.
    values = json.loads((walk / "scene" / "transforms.json").read_text())
    unit = pose_error.similarity(index.poses[:, :3, 3], true[:, :3, 3]).scale
    assert 1.0 < values["near"] * unit < values["far"] * unit < 9.0
    assert index.points == "points3D.ply"

    again = find(walk / "photos", walk / "scene")
    assert "has the poses of these photographs already" in again and "Matching" not in again
    assert "name another SCENE, or replace it" in refusal(
        SCRIPT, walk / "photos", walk / "scene", "--cameras", "each"
    )


def test_photographs_that_do_not_match_are_refused(tmp_path):
    pytest.importorskip("pycolmap")
    for seed in range(3):
        write_image(tmp_path / "photos" / f"{seed}.png", box_photograph(pose_on_walk(0), seed))
    sentence = refusal(SCRIPT, tmp_path / "photos", tmp_path / "scene")
    assert "found 3 of which no two show the same things" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_video_without_motion_is_refused(tmp_path):
    pytest.importorskip("pycolmap")
    write_video(tmp_path / "still.mp4", [box_photograph(pose_on_walk(0))] * 8, fps=8)
    sentence = refusal(SCRIPT, tmp_path / "still.mp4", tmp_path / "scene", "--every", "2")
    assert "found 4 of 4 that match, but too weakly or without a sign" in sentence


def test_without_pycolmap_the_sentence_says_how_to_install_it(walk, tmp_path):
    with mock.patch.dict("sys.modules", {"pycolmap": None}):
        assert 'pip install -e ".[poses]"' in refusal(SCRIPT, walk / "photos", tmp_path / "scene")


def test_sources_that_hold_no_scene_are_refused(tmp_path):
    photos, scene, copies = tmp_path / "photos", tmp_path / "scene", tmp_path / "copies"
    with pytest.raises(DataError, match="expected a folder of photographs or a video, found neither"):
        source_files(photos)
    photos.mkdir()
    with pytest.raises(DataError, match=r"\(.png, .jpg, .jpeg\), found no files; name the folder"):
        source_files(photos)
    (photos / "IMG_1.HEIC").write_bytes(b"photograph")
    with pytest.raises(DataError, match="found IMG_1.HEIC; .*save them as JPEG"):
        source_files(photos)
    for name in ("a.png", "b.PNG"):
        write_image(photos / name, np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(
        DataError, match="at least 3 photographs of one scene, found 2 that can be read; take more"
    ):
        copy_photographs(source_files(photos), copies)
    assert "--every: expected a video" in refusal(SCRIPT, photos, scene, "--every", "3")
    (photos / "film.mp4").write_bytes(b"nothing")
    assert "found a file without a frame" in refusal(SCRIPT, photos / "film.mp4", scene)
    write_video(photos / "film.mp4", smooth_frames(4, 32, 32), fps=4)
    with pytest.raises(DataError, match="at least 3 frames to use, found 2; .* --every below 2"):
        save_frames(photos / "film.mp4", 2, copies)


def test_the_sharpest_frames_of_a_video_are_saved_by_their_numbers(tmp_path):
    """Even frames are plain, odd ones show blobs."""
    sharp, plain = box_photograph(pose_on_walk(0)), np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    write_video(tmp_path / "film.mp4", [plain, sharp] * 3 + [plain], fps=4)
    names = save_frames(tmp_path / "film.mp4", 2, tmp_path / "images")
    assert names == [f"frame_{number:06d}.jpg" for number in (1, 3, 5, 6)]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == names


EVIDENCE = Evidence(
    {"a": 90, "b": 90, "c": 90, "d": 14, "e": 90, "f": 90, "g": 90}, [("a", "b"), ("c", "f"), ("a", "g")]
)


def test_every_photograph_without_a_pose_has_a_reason():
    placed = [{"a", "b"}, {"c", "f"}]
    told = list(sentences("abcdefg", EVIDENCE, placed, 15))
    assert [line.partition(", as they ")[2] for line in told] == [
        "show too little, fewer than 15 features: d.",
        "show nothing that others show too: e.",
        "fit together only apart from the largest of 2 models: c, f.",
        "match others, but too few points have a known place: g.",
    ]
    assert told[2].startswith("2 of 7 photographs have no pose")
    assert list(sentences("ab", EVIDENCE, [{"a", "b"}], 15)) == []


def test_a_model_of_three_photographs_is_the_smallest(tmp_path):
    check_found(tmp_path, EVIDENCE, [{"a", "b", "c"}])
    for placed in ([], [{"a", "b"}]):
        with pytest.raises(DataError, match="found 5 of 7 that match, but too weakly"):
            check_found(tmp_path, EVIDENCE, placed)
        with pytest.raises(DataError, match="found 7 of which no two"):
            check_found(tmp_path, EVIDENCE._replace(pairs=[]), placed)


def test_only_scenes_of_the_script_are_replaced_and_only_if_told(tmp_path, scene_writer):
    photos = [tmp_path / "photos" / "a.png"]
    record, other = (target.record_of(photos, f"--cameras {name}") for name in ("one", "each"))
    scene = tmp_path / "scene"
    assert not target.is_finished(scene, record, overwrite=False)
    scene.mkdir()
    assert not target.is_finished(scene, record, overwrite=False)
    with target.work_folder(scene, record) as work:
        (work / "database.db").write_bytes(b"much")
        (work / "images").mkdir()
        target.finish(work, scene, {**record, "frames": []})
    assert (
        sorted(path.name for path in scene.iterdir()) == ["images", "transforms.json"] and not work.exists()
    )
    assert target.is_finished(scene, record, overwrite=False)
    assert not target.is_finished(scene, record, overwrite=True)
    assert not target.is_finished(scene, other, overwrite=True)
    with pytest.raises(ConfigError, match="--cameras one.*--overwrite"):
        target.is_finished(scene, other, overwrite=False)
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match="files that scripts/find_poses.py did not write"):
            target.is_finished(scene_writer().write(), record, overwrite)
    with pytest.raises(ConfigError, match="does not hold the photographs"):
        target.check_apart(scene / "images", scene)


def test_a_stopped_search_goes_on_unless_its_photographs_changed(tmp_path):
    photo, scene = tmp_path / "a.png", tmp_path / "scene"
    write_image(photo, np.zeros((6, 8, 3), np.uint8))
    record = target.record_of([photo], "")
    with pytest.raises(KeyboardInterrupt), target.work_folder(scene, record) as work:
        (work / "database.db").write_bytes(b"half of it")
        raise KeyboardInterrupt
    with target.work_folder(scene, target.record_of([photo], "")):
        assert (work / "database.db").exists()
    write_image(photo, np.zeros((9, 8, 3), np.uint8))
    with target.work_folder(scene, target.record_of([photo], "")):
        assert not (work / "database.db").exists()


def test_nothing_is_left_of_photographs_that_make_no_scene(tmp_path):
    with pytest.raises(DataError), target.work_folder(tmp_path / "scene", {}):
        raise DataError("No two photographs match.")
    assert not list(tmp_path.iterdir())


def test_a_scene_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match="cannot be written .*choose another SCENE"),
        target.work_folder(tmp_path / "file" / "scene", {}),
    ):
        raise AssertionError


def test_the_similarity_of_found_and_true_cameras_by_hand():
    """The found ones are half as far apart, turned by 90 degrees about z, and moved."""
    true = np.tile(np.eye(4), (4, 1, 1))
    true[:, :3, 3] = [[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 1]]
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    found = true.copy()
    found[:, :3, :3] = turn
    found[:, :3, 3] = 0.5 * true[:, :3, 3] @ turn.T + [5.0, 6.0, 7.0]
    fitted = pose_error.similarity(found[:, :3, 3], true[:, :3, 3])
    assert fitted.scale == pytest.approx(2.0)
    np.testing.assert_allclose(fitted.rotation, turn.T, atol=1e-12)
    degrees, shares = pose_error.errors(found, true)
    assert degrees.max() < 1e-6 and shares.max() < 1e-12
    angle = np.radians(3.0)
    found[2, :3, :3] = turn @ [
        [1, 0, 0],
        [0, np.cos(angle), -np.sin(angle)],
        [0, np.sin(angle), np.cos(angle)],
    ]
    assert pose_error.errors(found, true)[0].tolist() == pytest.approx([0.0, 0.0, 3.0, 0.0], abs=1e-6)


def test_scenes_without_common_photographs_have_no_pose_error(tmp_path, scene_writer):
    first = scene_writer(frames=2).write()
    other = shutil.copytree(first, tmp_path / "other")
    stderr = run_here("benchmarks/pose_error.py", first, other, code=2)
    assert "same name in both scenes, found 2" in only_sentence(stderr)
