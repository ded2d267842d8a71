"""Whatever befalls a file of a scene: a sentence that names the scene, or frames that did not change."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mangled_scenes import DATASETS, HEIGHT, WIDTH, Damage, Layout, cache, check_unchanged, layout
from mangled_texts import EVERY, RANGE
from mangling import bytes_damages, damages, known_damages
from script_runs import only_sentence, run_here

from gpnerf.datasets import examples
from gpnerf.datasets.discover import FoundScene, find_scenes
from gpnerf.datasets.index import cache as index_cache
from gpnerf.datasets.layouts import load_scene
from gpnerf.datasets.scene import Frame
from gpnerf.geometry.cameras import Camera
from gpnerf.system.errors import DataError, GPNeRFError

OPTIONS = ("--height", HEIGHT, "--width", WIDTH, "--num_source_views", 2)

every_layout = pytest.mark.parametrize("dataset", DATASETS)


class Read(NamedTuple):
    """A scene that was accepted, with all its frames by name."""

    frames: dict[str, Frame]
    range: tuple[float, float]


def drawn(times: int, *strategies: st.SearchStrategy, known: Sequence = ()) -> Callable:
    """The known examples, then as many drawn ones, or that part of them which the profile wants."""
    draws = settings(max_examples=math.ceil(times * settings.default.max_examples / 100))

    def decorate(test: Callable) -> Callable:
        test = draws(given(*strategies)(test))
        for one in known:
            test = example(one)(test)
        return test

    return decorate


def read(scene: Layout, root: Path) -> Read | str:
    """What is there, or the sentence that refuses it."""
    try:
        loaded = load_scene(scene.dataset, root, scene.name)
        frames = [loaded.read(number, HEIGHT, WIDTH) for number in range(len(loaded.views))]
    except GPNeRFError as error:
        return str(error)
    return Read({frame.name: frame for frame in frames}, (loaded.near, loaded.far))


@lru_cache
def good(dataset: str) -> Read:
    with layout(dataset).written() as root:
        return read(layout(dataset), root)


def check_sentence(sentence: str, root: Path) -> None:
    assert str(root) in sentence
    assert sentence.isprintable() and sentence.endswith(".")
    assert len(sentence) < 1000


def check_all_unchanged(found: Read, expected: Read, damage: Damage) -> None:
    gone = expected.frames.keys() - found.frames.keys()
    assert all(damage.losses & {("image", name), ("image", EVERY)} for name in gone), gone
    for name, frame in found.frames.items():
        check_unchanged(frame, expected.frames[name], damage)
    if damage.losses or RANGE in damage.changes:
        near, far = found.range
        assert 0.0 < near < far < float("inf")
    else:
        assert found.range == expected.range


@every_layout
def test_a_sentence_or_the_same_frames(dataset):
    scene = layout(dataset)

    @drawn(60, damages(scene), known=known_damages(scene))
    def holds(damage: Damage) -> None:
        with scene.written() as root:
            damage.apply(root)
            found = read(scene, root)
            if isinstance(found, str):
                check_sentence(found, root)
            else:
                check_all_unchanged(found, good(dataset), damage)

    holds()


@every_layout
def test_a_kept_index_is_not_used_for_other_files(dataset):
    """With the index of the good scene in the cache, all is as with an empty cache."""
    scene = layout(dataset)

    @drawn(12, damages(scene), known=known_damages(scene))
    def holds(damage: Damage) -> None:
        with scene.written() as root:
            load_scene(dataset, root, scene.name)
            damage.apply(root)
            found = read(scene, root)
            with cache(root.parent / "empty"):
                expected = read(scene, root)
            assert isinstance(found, str) == isinstance(expected, str), (found, expected)
            if isinstance(found, str):
                check_sentence(found, root)
            else:
                check_all_unchanged(found, expected, Damage(path="", how="none", content=b""))

    holds()


def test_a_damaged_index_is_made_again():
    scene = layout("transforms")
    with scene.written() as root:
        load_scene("transforms", root, scene.name)
        (kept,) = (root.parent / "cache" / "index").iterdir()
        index, content = index_cache.recall("transforms", root / scene.name), kept.read_bytes()
        # Of the last member, the method of compression becomes one that does not exist.
        method = content.rfind(b"PK\x01\x02") + 10
        unknown = "flipped", content[:method] + b"\x63" + content[method + 1 :]

        @drawn(200, bytes_damages(content), known=[unknown])
        def holds(damage: tuple[str, bytes]) -> None:
            kept.write_bytes(damage[1])
            found = index_cache.recall("transforms", root / scene.name)
            assert found is None or found.files == index.files
            assert found is None or np.array_equal(found.poses, index.poses)

        holds()


@every_layout
def test_examples_are_made_of_the_same_frames(dataset):
    scene = layout(dataset)

    @drawn(20, damages(scene), st.integers(0, 9))
    def holds(damage: Damage, step: int) -> None:
        with scene.written() as root:
            damage.apply(root)
            try:
                made = some_examples(scene, root, step)
            except GPNeRFError as error:
                # Too few frames are told with the name of the scene, all else with its folder.
                check_sentence(str(error), root if str(root) in str(error) else Path(scene.name))
                return
        for one in made:
            check_example(one, good(dataset).frames, damage)

    holds()


def some_examples(scene: Layout, root: Path, step: int) -> list[examples.Example]:
    loaded = load_scene(scene.dataset, root, scene.name)
    frames = range(len(loaded.views))
    training = examples.TrainingExamples(
        [examples.TrainingScene(loaded, frames, frames)], HEIGHT, WIDTH, 2, "distance", seed=1, length=10
    )
    views = [examples.TestView(loaded, target, frames) for target in (1, 3)]
    return [training[step], *examples.TestExamples(views, HEIGHT, WIDTH, 2, "distance")]


def check_example(made: examples.Example, frames: dict[str, Frame], damage: Damage) -> None:
    target = made.target.camera
    single = replace(target, camera_to_world=target.camera_to_world.float())
    check_unchanged(replace(made.target, camera=single), frames[made.target.name], damage)
    cameras = made.sources.cameras
    for number, name in enumerate(made.sources.names):
        # Frames have float32 poses, examples those of the files.
        pose = cameras.camera_to_world[number].float()
        camera = Camera(cameras.intrinsics[number], pose, HEIGHT, WIDTH)
        source = Frame(scene="", name=name, camera=camera, image=made.sources.images[number])
        check_unchanged(source, replace(frames[name], depth=None, semantic=None, instance=None), damage)


@every_layout
def test_a_damaged_scene_is_found_in_its_layout_or_not_at_all(dataset):
    scene = layout(dataset)

    @drawn(15, damages(scene))
    def holds(damage: Damage) -> None:
        with scene.written() as root:
            damage.apply(root)
            try:
                assert find_scenes(root) == [FoundScene(dataset, root, scene.name)]
            except DataError as error:
                check_sentence(str(error), root)
                assert damage.path.endswith("transforms.json") and damage.content is None

    holds()


@every_layout
def test_the_check_of_a_data_set_reports_what_loading_refuses(dataset):
    scene = layout(dataset)

    @drawn(4, damages(scene), known=known_damages(scene)[-1:])
    def holds(damage: Damage) -> None:
        with scene.written() as root:
            damage.apply(root)
            refused = isinstance(read(scene, root), str)
            report = root.parent / "report" / "report.txt"
            with redirect_stdout(StringIO()):
                arguments = (root, "--out", report.parent, *OPTIONS)
                said = run_here("scripts/check_data.py", *arguments, code=2 if refused else 0)
            assert "Traceback" not in said
            said = report.read_text() if report.is_file() else only_sentence(said)
            assert not refused or any(mark in said for mark in marks(damage)), said

    holds()


def marks(damage: Damage) -> list[str]:
    """The file's name, or what is said of a frame whose file is not there."""
    path = Path(damage.path)
    return [path.name, f"found none for the frames {path.stem}"]
