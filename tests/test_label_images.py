"""Photographs labelled by models of transformers: the files, their record in every table, and faults."""

from __future__ import annotations

import builtins
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import load_folder
from script_runs import EXPNAME, refusal, run_here, write_config
from segmenters import painted, save_queries, save_semantic

from gpnerf.datasets.labels import IGNORE
from gpnerf.evaluation.label_scoring import joint_origin
from gpnerf.evaluation.model_card import SCORED
from gpnerf.media.images import read_image, read_values
from gpnerf.preparation.labels.classes import Classes
from gpnerf.preparation.labels.labeller import Labeller
from gpnerf.preparation.labels.scene_text import write_labels
from gpnerf.preparation.labels.segmenter import Segmentation, class_probabilities, load_segmenter
from gpnerf.system.errors import CheckpointError, ConfigError

transformers = pytest.importorskip("transformers", reason='part of the extra "labels"')

NAMES = ("wall", "floor", "chair")
SCRIPT = "scripts/label_images.py"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The folder of a trained semantic model."""
    return save_semantic(tmp_path_factory.mktemp("models") / "colors", NAMES)


@pytest.fixture(scope="module")
def queries(tmp_path_factory) -> Path:
    """The folder of an untrained MaskFormer."""
    return save_queries(tmp_path_factory.mktemp("models") / "queries", NAMES)


def truth_of(number: int, height: int = 24, width: int = 32) -> np.ndarray:
    """Labels of a photograph: three stripes, each frame with other widths."""
    columns = np.arange(width)
    labels = (columns > 8 + number).astype(np.uint8) + (columns > 20 - number)
    return np.tile(labels, (height, 1))


@pytest.fixture
def scene(scene_writer) -> Path:
    """A scene of five photographs, the last one larger, without labels."""
    writer = scene_writer(frames=5, name="plain")
    for number, frame in enumerate(writer.top["frames"]):
        height, width = (48, 64) if number == 4 else (24, 32)
        frame |= {"h": height, "w": width}
        writer.save(frame["file_path"], painted(truth_of(number, height, width)))
    return writer.write()


def label(scene: Path, model: Path, *more: object) -> dict:
    run_here(SCRIPT, scene, "--model", model, *more)
    return json.loads((scene / "transforms.json").read_text())


def right(scene: Path, number: int, path: str) -> float:
    """The share of the pixels of a label image that are right."""
    found = read_values(scene / path, "semantic")
    return float((found == truth_of(number, *found.shape)).mean())


def test_a_scene_gets_label_images_of_every_size_and_the_record_of_the_model(scene, model, caplog):
    values = label(scene, model, "--confidence", 0)
    paths = [frame["semantic_path"] for frame in values["frames"]]
    assert paths == [f"semantic_predicted/{number}.png" for number in range(5)]
    assert all(right(scene, number, path) > 0.9 for number, path in enumerate(paths))
    assert values["semantic_classes"] == list(NAMES) and values["ignore_label"] == 255
    assert values["labels_made_by"] == f"{model} (confidence 0)"
    loaded = load_folder(scene)
    assert loaded.has("semantic") and loaded.index.labels_made_by == values["labels_made_by"]
    assert f"its labels were made by {model} (confidence 0), so they are not the truth." in caplog.text


def test_classes_are_mapped_and_what_is_unsure_or_has_no_class_is_unlabelled(scene, model, tmp_path):
    (tmp_path / "classes.txt").write_text("furniture = chair\nstructure = wall\nlamp =\n")
    values = label(scene, model, "--classes", tmp_path / "classes.txt", "--confidence", 0)
    assert values["semantic_classes"] == ["furniture", "structure", "lamp"]
    found, truth = read_image(scene / values["frames"][0]["semantic_path"]), truth_of(0)
    for number, expected in enumerate((1, 255, 0)):
        assert (found[truth == number] == expected).mean() > 0.85
    sure = label(scene, model, "--overwrite", "--confidence", 0.99)
    unsure = read_image(scene / sure["frames"][0]["semantic_path"]) == 255
    # The model is least sure where stripes meet, and there it may be wrong.
    assert 0.05 < unsure.mean() < 0.95 and unsure[:, 6:12].mean() > unsure[:, :5].mean()


def test_score_compares_with_the_labels_of_the_scene_and_writes_nothing(scene, model, capsys):
    values = label(scene, model, "--confidence", 0)
    for number, frame in enumerate(values["frames"][:4]):
        shutil.copy(scene / frame["semantic_path"], scene / f"true_{number}.png")
    write_labels(scene, "0", torch.full((24, 32), 1), 3)
    before = (scene / "transforms.json").read_text()
    capsys.readouterr()
    label(scene, model, "--score", "--confidence", 0)
    said = capsys.readouterr().out
    assert (scene / "transforms.json").read_text() == before
    # Four views agree with themselves; of the first one the truth now says floor alone.
    floor = (truth_of(0) == 1).mean()
    row = said.splitlines()[2].split("|")
    assert row[1].strip() == "5" and float(row[2]) == 1.0
    assert float(row[4]) == pytest.approx((4 + floor) / 5, abs=0.02)
    assert f"Labels made by {model} (confidence 0), not the truth." in said


def test_the_frames_of_blender_s_files_get_their_labels(scene, model):
    values = json.loads((scene / "transforms.json").read_text())
    frames = values.pop("frames")
    for name, chosen in (("train", frames[:3]), ("test", frames[3:])):
        (scene / f"transforms_{name}.json").write_text(json.dumps({**values, "frames": chosen}))
    (scene / "transforms.json").unlink()
    run_here(SCRIPT, scene, "--model", model, "--confidence", 0)
    loaded = load_folder(scene)
    assert loaded.has("semantic") and loaded.labels.names == NAMES and loaded.index.labels_made_by


def test_segments_are_written_with_an_id_for_no_object(scene, queries):
    """The untrained model finds nothing: every pixel is in no object, and unlabelled with the loader."""
    values = label(scene, queries, "--instances", "--confidence", 0)
    assert values["no_object_id"] == 0
    assert values["frames"][1]["instance_path"] == "instance_predicted/1.png"
    assert (load_folder(scene).read_map(1, "instance", 24, 32) == IGNORE).all()


def test_segments_are_numbered_and_end_where_labels_do(queries):
    """Two queries have masks at the left and at the right: 1 and 2. The middle belongs to neither."""
    segmenter = load_segmenter(str(queries), CPU)
    masks = torch.full((1, 2, 24, 36), -9.0)
    masks[0, 0, :, :12], masks[0, 1, :, 24:] = 9.0, 9.0
    classes = torch.tensor([[[0.0, 9.0, 0.0, 0.0], [9.0, 0.0, 0.0, 0.0]]])
    outputs = SimpleNamespace(class_queries_logits=classes, masks_queries_logits=masks)
    segments = segmenter._segments(outputs, (24, 36))
    assert segments[3, [2, 33]].tolist() == [1, 2]
    unsure = class_probabilities(outputs)
    labeller = Labeller(lambda image, wanted: Segmentation(unsure, segments), Classes.of_model(NAMES), 0.5)
    labels, kept = labeller(np.zeros((24, 36, 3), np.uint8), True)
    assert labels[3, [2, 18, 33]].tolist() == [1, IGNORE, 0]
    assert kept[3, [2, 18, 33]].tolist() == [1, 0, 2]


def test_probabilities_of_queries_are_sums_that_are_at_most_one():
    """Two queries, two classes and "no object": masks of 1/2 and 1; classes (1/2, 1/4, 1/4) and (0, 1, 0)."""
    classes = torch.tensor([[[2.0, 1.0, 1.0], [1e-9, 1.0, 1e-9]]]).log()
    masks = torch.tensor([0.0, 40.0]).reshape(1, 2, 1, 1)
    found = class_probabilities(SimpleNamespace(class_queries_logits=classes, masks_queries_logits=masks))
    # (1/4, 1/8 + 1) has the sum 11/8.
    torch.testing.assert_close(found.flatten(), torch.tensor([2 / 11, 9 / 11]))
    masks[0, 1] = -40.0
    found = class_probabilities(SimpleNamespace(class_queries_logits=classes, masks_queries_logits=masks))
    torch.testing.assert_close(found.flatten(), torch.tensor([1 / 4, 1 / 8]))


def test_a_mirrored_photograph_gets_the_mirrored_probabilities(model):
    """Which holds for the mean with the mirror image alone."""
    segmenter = load_segmenter(str(model), CPU)
    image = painted(truth_of(0))
    mirrored = np.ascontiguousarray(image[:, ::-1])
    assert segmenter.names == NAMES and not segmenter.finds_segments
    found, other = segmenter(image).probabilities, segmenter(mirrored).probabilities
    torch.testing.assert_close(found.flip(-1), other)
    once = [class_probabilities(segmenter._outputs(one)) for one in (image, mirrored)]
    assert (once[0].flip(-1) - once[1]).abs().max() > 1e-4


def test_more_than_255_classes_need_16_bits(tmp_path):
    path = write_labels(tmp_path, "a/b", torch.tensor([[299, IGNORE]]), 300)
    assert path == "semantic_predicted/a/b.png"
    assert read_values(tmp_path / path, "semantic").tolist() == [[299, 65535]]


def test_every_table_says_that_the_labels_are_not_the_truth(scene, model, capsys):
    label(scene, model)
    options = {"train_scenes": "plain", "test_scenes": "plain", "workers": 0, "steps": 1}
    config = write_config(scene.parent / "plain.txt", data_root=scene.parent, **options)
    run_here("train.py", "--config", config)
    run_here("eval.py", "--config", config, "--table", "all")
    place = scene.parent / "out" / EXPNAME / "eval"
    said = f"made by {model} (confidence 0.5), not the truth"
    assert json.loads((place / "metrics.json").read_text())["made_by"]["labels"] == said
    assert json.loads((place / "table_1.json").read_text())["made_by"]["labels"] == said
    for name in ("table.md", "table_1.md", "table_1.tex"):
        assert f"labels {said}" in (place / name).read_text()
    assert said in (place / "report.html").read_text()
    run = place.parent
    shutil.copytree(run, run.with_name("other"))
    run_here("scripts/compare_runs.py", run, run.with_name("other"))
    assert f"{run}: labels {said}." in capsys.readouterr().out
    assert "labels" in SCORED


def test_a_table_of_several_evaluations_names_all_models_once():
    facts = [{"labels": "made by a, not the truth"}, {}, {"labels": "made by b, not the truth"}]
    assert joint_origin([*facts, *facts]) == {"labels": "made by a, not the truth; made by b, not the truth"}
    assert joint_origin([{}]) == {}


def test_wrong_scenes_and_options_are_sentences(scene, model, queries, scene_writer, tmp_path):
    ours = ("--model", model)
    assert "--instances: expected a model with segments" in refusal(SCRIPT, scene, *ours, "--instances")
    assert "from 0 to 1, found 2; lower it." in refusal(SCRIPT, scene, *ours, "--confidence", 2)
    assert "expected labels to --score with, found none" in refusal(SCRIPT, scene, *ours, "--score")
    assert "found no such folder" in refusal(SCRIPT, tmp_path / "no", *ours)
    (tmp_path / "classes.txt").write_text("wall = wal")
    unknown = refusal(SCRIPT, scene, *ours, "--classes", tmp_path / "classes.txt")
    assert "found 'wal' (did you mean 'wall'?); correct the names" in unknown
    labelled = scene_writer(frames=2, semantic=True, name="labelled").write()
    said = refusal(SCRIPT, labelled, *ours)
    assert "without labels, found 2 of 2 frames with some; compare with them by --score" in said


def test_a_scene_without_photographs_is_a_sentence(scene, model):
    for path in (scene / "images").iterdir():
        path.unlink()
    assert "5 of the files it names are missing" in refusal(SCRIPT, scene, "--model", model)
    (scene / "transforms.json").write_text('{"frames": []}')
    assert "a list of at least one frame" in refusal(SCRIPT, scene, "--model", model)


def test_a_name_without_a_model_is_a_sentence(monkeypatch, tmp_path):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("someone/segformer", "./no/such/folder"):
        with pytest.raises(CheckpointError, match=f"--model {name} can neither be found in the cache"):
            load_segmenter(name, CPU)


@pytest.mark.parametrize("missing", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_a_sentence(missing, model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "model")
    (folder / missing).unlink()
    found = missing.replace("model.safe", "*.safe").replace("*", r"\*")
    with pytest.raises(CheckpointError, match=f"found no {found}; save model and image processor"):
        load_segmenter(str(folder), CPU)


def test_pickled_weights_are_not_read(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"found no \*\.safetensors"):
        load_segmenter(str(folder), CPU)


def test_code_of_a_model_is_not_run(model, tmp_path):
    ran, folder = tmp_path / "ran", shutil.copytree(model, tmp_path / "model")
    auto = {"AutoConfig": "own.Config", "AutoModelForSemanticSegmentation": "own.Model"}
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": auto}))
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')")
    with pytest.raises(CheckpointError, match=r"that transformers .* can read, found one that it cannot"):
        load_segmenter(str(folder), CPU)
    assert not ran.exists()


def test_models_for_something_else_are_sentences(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "vit")
    transformers.ViTConfig().save_pretrained(folder)
    with pytest.raises(
        CheckpointError, match="a semantic segmentation model or one of .*, found vit; choose"
    ):
        load_segmenter(str(folder), CPU)


def test_weights_that_would_be_drawn_at_random_are_a_sentence(model, tmp_path):
    folder = tmp_path / "backbone"
    whole = transformers.SegformerForSemanticSegmentation.from_pretrained(model)
    whole.segformer.save_pretrained(folder)
    shutil.copy(model / "preprocessor_config.json", folder)
    with pytest.raises(CheckpointError, match=r"all weights .* missing \(decode_head"):
        load_segmenter(str(folder), CPU)


def test_a_damaged_file_is_a_sentence(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="found one that it cannot .*save it again"):
        load_segmenter(str(folder), CPU)


def test_without_the_package_a_sentence_says_how_to_install_it(monkeypatch):
    load = builtins.__import__

    def without(name, *others, **named):
        if name == "transformers":
            raise ImportError(name)
        return load(name, *others, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        ConfigError, match=r'transformers, which is not installed; run `pip install -e "\.\[labels\]"`'
    ):
        load_segmenter("someone/segformer", CPU)
