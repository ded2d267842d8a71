"""Files that map a model's classes: what they mean, what is refused, and those of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from script_runs import REPOSITORY

from gpnerf.datasets.class_maps import ClassMap
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.published.class_lists import SCANNET_CLASSES
from gpnerf.preparation.labels.classes import Classes, labels_of
from gpnerf.rooms.layout import CLASS_NAMES
from gpnerf.system.errors import DataError

MAPS = REPOSITORY / "configs" / "classes"
MODEL = ("wall", "Swivel-Chair", "rock, stone", "sky", "armchair")


@pytest.fixture
def write(tmp_path: Path):
    """write(text) -> the path of a file of classes."""

    def save(text: str) -> Path:
        path = tmp_path / "classes.txt"
        path.write_text(text)
        return path

    return save


def test_a_file_lists_the_classes_of_the_scene_and_their_names_in_the_model(write):
    """Names are compared in small letters, without hyphens, by the first synonym."""
    found = Classes.read(
        write("# a\nwall=wall  # b\n\nchair = swivel chair, armchair\nlamp =\nrock=rock"), MODEL
    )
    assert found.names == ("wall", "chair", "lamp", "rock")
    assert found.members.int().tolist() == [
        [1, 0, 0, 0, 0],
        [0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
    ]


def test_probabilities_of_one_class_are_added_and_those_of_others_compete_one_by_one(write):
    """Two pixels. The first: chairs have 0.4 + 0.2. The second: sky has more than any class of the scene."""
    classes = Classes.read(write("wall = wall\nchair = swivel chair, armchair"), MODEL)
    pixels = torch.tensor([[0.3, 0.4, 0.06, 0.04, 0.2], [0.2, 0.1, 0.3, 0.35, 0.05]]).T.reshape(5, 1, 2)
    grouped = classes.grouped(pixels)
    torch.testing.assert_close(grouped[:, 0].T, torch.tensor([[0.3, 0.6, 0.06], [0.2, 0.15, 0.35]]))
    assert labels_of(grouped, 0.0).tolist() == [[1, IGNORE]]
    assert labels_of(grouped, 0.6).tolist() == [[1, IGNORE]]
    assert labels_of(grouped, 0.61).tolist() == [[IGNORE, IGNORE]]


def test_without_a_file_the_classes_are_the_model_s_own():
    classes = Classes.of_model(MODEL)
    pixel = torch.tensor([0.1, 0.2, 0.3, 0.3, 0.1]).reshape(5, 1, 1)
    assert classes.names == MODEL and classes.grouped(pixel).flatten().tolist() == [
        *pixel.flatten().tolist(),
        0.0,
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "wall = wal, tree",
            r"model's 5 classes \(wall, .*\), found 'wal' \(did you mean 'wall'\?\), 'tree'; corr",
        ),
        ("wall = wall\nwall = sky", "line 2: expected CLASS = NAME, .* a second line of 'wall'; correct"),
        ("wall wall", "line 1: expected CLASS = NAME, .*found 'wall wall'"),
        ("= wall", "line 1: expected CLASS = NAME"),
        ("a = sky\nb = sky", "at most once, found 'sky' twice; remove one"),
        ("# nothing\n", "found none; add some"),
    ],
)
def test_faults_of_a_file_are_sentences(text, sentence, write):
    with pytest.raises(DataError, match=sentence):
        Classes.read(write(text), MODEL)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match="expected a file of classes, found No such file.*configs/classes"):
        Classes.read(tmp_path / "no.txt", MODEL)


def names_in(file: str) -> list[str]:
    """The model's classes that a file of the repository names."""
    lines = (line.partition("#")[0] for line in (MAPS / file).read_text().splitlines())
    return [name.strip() for line in lines for name in line.partition("=")[2].split(",") if name.strip()]


@pytest.mark.parametrize("model", ["ade20k", "coco"])
@pytest.mark.parametrize(("scene", "names"), [("rooms", CLASS_NAMES), ("scannet", SCANNET_CLASSES)])
def test_the_files_of_the_repository_have_the_classes_of_the_data(model, scene, names):
    file = f"{model}_{scene}.txt"
    assert Classes.read(MAPS / file, names_in(file)).names == names


@pytest.mark.parametrize(
    ("model", "differing"), [("ade20k", {"desk"}), ("coco", set())], ids=["ade20k", "coco"]
)
def test_a_name_that_both_files_of_a_model_have_means_the_same_in_rooms_and_scannet(model, differing):
    """Rooms have tables alone, ScanNet tells desks from them."""
    files = [f"{model}_{scene}.txt" for scene in ("rooms", "scannet")]
    known = sorted(set(map(str, names_in(files[0]))) & set(names_in(files[1])))
    own, other = (
        {
            name: classes.names[row]
            for row, column in classes.members.nonzero().tolist()
            for name in [names[column]]
        }
        for classes, names in ((Classes.read(MAPS / file, names_in(file)), names_in(file)) for file in files)
    )
    found = {name for name in known if ClassMap.between([own[name]], [other[name]]).shared != (other[name],)}
    assert len(known) > 10 and found == differing


def test_the_names_are_those_of_the_published_lists():
    """Some of ADE20K's 150 and of COCO's 133 as the models of the hub spell them, "bed " among them."""
    ade = ("wall", "floor", "bed ", "windowpane", "painting", "bathtub", "kitchen island", "swivel chair")
    coco = (
        "wall-other-merged",
        "floor-wood",
        "window-other",
        "door-stuff",
        "dining table",
        "rug-merged",
        "couch",
    )
    for file, names in (("ade20k_scannet.txt", ade), ("coco_rooms.txt", coco)):
        assert {name.strip() for name in names} <= set(names_in(file))
