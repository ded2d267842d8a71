"""Examples: who may be target and source, repetition, the cache, and what is reported as missing."""

import pytest
import torch
from helpers import load_folder
from torch.utils.data import DataLoader

from gpnerf.datasets import examples
from gpnerf.datasets.examples import TrainingExamples, TrainingScene
from gpnerf.datasets.frame_reader import FrameReader, KeptFrames
from gpnerf.datasets.run_scenes import describe_missing
from gpnerf.system.errors import DataError


@pytest.fixture
def scene(scene_writer):
    """12 frames named "0".."11", 0.1 m apart."""
    return load_folder(scene_writer(frames=12, depth=True).write())


def training(scene, targets, sources, seed=0, views=3, length=40):
    return TrainingExamples([TrainingScene(scene, targets, sources)], 6, 8, views, "distance", seed, length)


def names(example):
    return example.target.name, *example.sources.names


def test_an_example_has_its_sources_images_and_cameras_in_one_order(scene):
    example = training(scene, range(12), range(12))[0]
    assert example.sources.images.shape == (3, 3, 6, 8)
    assert (example.near, example.far) == (scene.near, scene.far)
    for view, name in enumerate(example.sources.names):
        torch.testing.assert_close(example.sources.images[view], torch.full((3, 6, 8), 10 * int(name) / 255))
        assert example.sources.cameras.center[view, 0].item() == pytest.approx(0.1 * int(name))
    torch.testing.assert_close(
        example.target.image[0, 0, 0], torch.tensor(int(example.target.name) * 10 / 255)
    )


def test_cameras_follow_the_size_of_the_images(scene):
    example = TrainingExamples([(scene, range(12), range(12))], 3, 4, 2, "distance", 0, 1)[0]
    assert example.sources.images.shape == (2, 3, 3, 4)
    assert example.sources.cameras.intrinsics[:, 0, 0].tolist() == [2.0, 2.0]
    assert example.target.camera.intrinsics[0, 0] == 2.0


def test_a_target_is_never_its_own_source_and_held_out_frames_never_appear(scene):
    allowed = [index for index in range(12) if index not in (2, 7)]
    dataset = training(scene, allowed, allowed)
    seen = [names(dataset[step]) for step in range(40)]
    assert all(len(set(example)) == 4 for example in seen)
    assert {name for example in seen for name in example} == {str(index) for index in allowed}


def test_a_step_depends_on_seed_and_number_alone(scene):
    first, resumed = training(scene, range(12), range(12)), training(scene, range(12), range(12))
    expected = [names(first[step]) for step in range(40)]
    assert names(resumed[25]) == expected[25]
    assert len(set(expected)) > 30
    other = training(scene, range(12), range(12), seed=1)
    assert [names(other[step]) for step in range(40)] != expected


def test_all_scenes_are_drawn(scene_writer):
    scenes = [load_folder(scene_writer(frames=4, name=name).write()) for name in ("hall", "attic")]
    dataset = TrainingExamples(
        [TrainingScene(scene, range(4), range(4)) for scene in scenes], 6, 8, 2, "distance", 0, 40
    )
    drawn = [dataset[step].target.scene for step in range(40)]
    assert 10 < drawn.count("hall") < 30
    assert drawn.count("hall") + drawn.count("attic") == 40


def test_a_loader_with_workers_gives_the_same_examples(scene):
    dataset = training(scene, range(12), range(12), length=4)
    loaded = [names(example) for example in DataLoader(dataset, batch_size=None, num_workers=1)]
    assert loaded == [names(dataset[step]) for step in range(4)]


def test_test_examples_take_the_nearest_of_the_pool(scene):
    pool = [1, 2, 7, 11]
    dataset = examples.TestExamples([(scene, 5, pool), (scene, 3, pool)], 6, 8, 3, "distance")
    assert len(dataset) == 2
    assert names(dataset[0]) == ("5", "7", "2", "1")
    assert names(dataset[1]) == ("3", "2", "1", "7")


def test_test_examples_leave_the_target_out_of_its_sources(scene):
    dataset = examples.TestExamples([(scene, 5, range(12))], 6, 8, 11, "distance")
    assert "5" not in dataset[0].sources.names


def test_too_few_frames_are_told_before_the_run_starts(scene):
    with pytest.raises(DataError, match="tiny: expected at least 12 source views .* found 11"):
        training(scene, range(12), range(12), views=12)
    assert len(training(scene, [0, 1], range(2, 12), views=10)) == 40
    with pytest.raises(DataError, match="tiny: expected at least 3 source views .* found 2"):
        examples.TestExamples([(scene, 0, [0, 1, 2])], 6, 8, 3, "distance")


def test_an_example_moves_as_a_whole(scene):
    example = training(scene, range(12), range(12))[0].to("meta")
    tensors = (example.sources.images, example.sources.cameras.intrinsics, example.target.image)
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_a_frame_is_decoded_once(scene):
    reader = FrameReader(6, 8)
    image, frame = reader.photograph(scene, 0).image, reader.frame(scene, 0)
    for path in (scene.views[0].image, scene.views[0].depth):
        path.unlink()
    assert torch.equal(reader.photograph(scene, 0).image, image)
    assert torch.equal(reader.frame(scene, 0).depth, frame.depth)
    torch.testing.assert_close(reader.frame(scene, 0).image, image)


def test_the_cache_forgets_what_was_used_longest_ago(scene):
    image_bytes = 3 * 6 * 8
    reader = FrameReader(6, 8, KeptFrames(2 * image_bytes))
    for index in (0, 1, 0, 2):
        reader.photograph(scene, index)
    assert reader.kept.bytes == 2 * image_bytes
    for index in range(3):
        scene.views[index].image.unlink()
    reader.photograph(scene, 0)
    with pytest.raises(DataError, match="found No such file"):
        reader.photograph(scene, 1)


def test_missing_maps_are_described(scene_writer):
    complete = load_folder(scene_writer(depth=True, semantic=True, name="complete").write())
    partial = scene_writer(frames=3, depth=True, name="partial")
    del partial.top["frames"][0]["depth_file_path"]
    assert describe_missing([complete, load_folder(partial.write())]) == [
        "partial has depth maps in 2 of 3 frames only: the depth losses are switched off in the others.",
        "partial has no semantic labels: the semantic losses and metrics are switched off.",
    ]


def test_missing_labels_of_the_recorded_scene_are_described(real_scene):
    assert describe_missing([load_folder(real_scene)]) == [
        "hololens_office has no semantic labels: the semantic losses and metrics are switched off."
    ]
