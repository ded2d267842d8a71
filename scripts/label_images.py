"""Labels the photographs of a scene with a segmentation model.

    python scripts/label_images.py data/myscene --model nvidia/segformer-b2-finetuned-ade-512-512 \\
        --classes configs/classes/ade20k_rooms.txt

SCENE is a folder with transforms.json. MODEL is a folder, or a name on the Hugging Face hub: a semantic model
of transformers, MaskFormer or Mask2Former, with weights as safetensors. FILE lists the classes of the scene
and those of the model that mean them; configs/classes has ADE20K's and COCO's to those of the rooms and of
ScanNet. Without it, the scene gets the model's own classes. Probabilities are means of a photograph and its
mirror image.

The label images go to SCENE/semantic_predicted, and transforms.json gets their names, the classes and
"labels_made_by", so that every table made with them says that they are not the truth. --instances adds the
segments of MaskFormer or Mask2Former in SCENE/instance_predicted; their ids differ from photograph to
photograph, so train on them with --instance_matching hungarian. --score compares the model with the labels
that the scene has, and writes nothing.

It needs the package transformers: pip install -e ".[labels]".
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gpnerf.config.parser import Parser
from gpnerf.config.types import amount
from gpnerf.datasets.class_maps import ClassMap
from gpnerf.datasets.index.scene_index import SceneIndex
from gpnerf.datasets.labels import IGNORE
from gpnerf.datasets.layouts import label_space
from gpnerf.datasets.pixels.maps import read_ids
from gpnerf.datasets.transforms.loader import index_scene
from gpnerf.evaluation.results import Scores, mean_scores
from gpnerf.evaluation.scene_table import cell
from gpnerf.evaluation.table import Table, markdown_rows
from gpnerf.media.images import resize_values
from gpnerf.metrics.semantic import confusion_matrix, image_scores
from gpnerf.preparation.labels.classes import Classes
from gpnerf.preparation.labels.labeller import Labeller, label_scene, photographs
from gpnerf.preparation.labels.segmenter import load_segmenter
from gpnerf.system.devices import choose_device
from gpnerf.system.errors import ConfigError, DataError, Faults
from gpnerf.system.scripting import run_script
from gpnerf.system.wording import some

TITLES = {
    "labelled": "labelled",
    "miou": "mIoU",
    "total_accuracy": "total acc.",
    "average_accuracy": "average acc.",
}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("scene", type=Path, metavar="SCENE", help="folder of a scene with transforms.json")
    add("--model", required=True, metavar="MODEL", help="folder, or name on the Hugging Face hub")
    add("--classes", type=Path, metavar="FILE", help="see above (default: the model's own classes)")
    add("--confidence", type=amount, default=0.5, help="pixels below it are unlabelled (default: 0.5)")
    add("--instances", action="store_true", help="write the segments of MaskFormer or Mask2Former too")
    add("--score", action="store_true", help="compare with the labels that the scene has; write nothing")
    add("--overwrite", action="store_true", help="name the new label images in place of those it has")
    add("--device", default="auto", help="cpu, cuda, cuda:1 or auto (default: auto)")
    options = parser.parse_args(arguments)
    if options.confidence > 1.0:
        raise ConfigError(
            f"--confidence: expected a probability from 0 to 1, found {options.confidence:g}; lower it."
        )
    return options


def open_scene(options: argparse.Namespace) -> SceneIndex:
    """Reads the index of the scene. Raises ConfigError if its labels do not fit what the options ask for."""
    faults = Faults()
    index = index_scene(options.scene, faults)
    faults.raise_any()
    kinds = ("semantic", "instance") if options.instances else ("semantic",)
    count = max(index.count(kind) for kind in kinds)
    if options.score and not index.count("semantic"):
        raise ConfigError(f"{options.scene}: expected labels to --score with, found none; leave it out.")
    if count and not (options.score or options.overwrite):
        raise ConfigError(
            f"{options.scene}: expected a scene without labels, found {count} of {len(index)} frames with "
            "some; compare with them by --score, or name new ones in their place with --overwrite."
        )
    return index


def make_labeller(options: argparse.Namespace) -> Labeller:
    """Loads the model and its classes. Raises ConfigError for --instances of a model without segments."""
    segmenter = load_segmenter(options.model, choose_device(options.device))
    if options.instances and not segmenter.finds_segments:
        raise ConfigError(
            f"--instances: expected a model with segments, such as Mask2Former, found {options.model}, which "
            "has classes alone; leave the option out, or choose another model."
        )
    names = segmenter.names
    classes = Classes.read(options.classes, names) if options.classes else Classes.of_model(names)
    return Labeller(segmenter, classes, options.confidence)


def score(folder: Path, index: SceneIndex, labeller: Labeller) -> Table:
    """Compares the model with the labels of a scene, in the classes that both have: a row of mean scores.

    "labelled" is the share of the truly labelled pixels that the model labels too; the scores are of these.
    Raises DataError if there are no such classes.
    """
    space = label_space("transforms", folder.parent, index, all_classes=False)
    shared = ClassMap.between(labeller.classes.names, space.names)
    if not shared.shared:
        raise DataError(
            f"{folder}: expected classes of the model in its labels ({some(space.names, 4)}), found none of "
            f"{some(labeller.classes.names, 4)}; map them with --classes."
        )
    rows = []
    for number, image in photographs(folder, index):
        path = folder / index.files["semantic"][number]
        if path != folder:
            ids = resize_values(read_ids(path, "semantic"), *image.shape[:2])
            truth = torch.from_numpy(space.to_classes(ids, str(path)))
            rows.append(view_scores(shared, labeller(image)[0], truth))
    means = mean_scores(rows)
    return Table(
        folder.name, ["views", *TITLES.values()], [[str(len(rows)), *(cell(n, means) for n in TITLES)]]
    )


def view_scores(shared: ClassMap, labels: Tensor, truth: Tensor) -> Scores:
    """Scores of the model's labels [H, W] against true ones, by the names of TITLES."""
    found, truth = shared.predicted[labels], shared.true[truth]
    known = truth != IGNORE
    labelled = ((found != IGNORE) & known).sum().item() / max(1, known.sum().item())
    scores = image_scores(confusion_matrix(found, truth, len(shared.names)))
    return {"labelled": labelled, **scores._asdict()}


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    index = open_scene(options)
    labeller = make_labeller(options)
    if options.score:
        sys.stdout.write(markdown_rows(score(options.scene, index, labeller)))
        if index.labels_made_by:
            sys.stdout.write(f"Labels made by {index.labels_made_by}, not the truth.\n")
        return 0
    made_by = f"{options.model} (confidence {options.confidence:g})"
    share = label_scene(options.scene, index, labeller, options.instances, made_by)
    sys.stdout.write(
        f"{options.scene}: {len(index)} photographs, {share:.1%} of their pixels labelled.\n"
        f"Next: python scripts/check_data.py {options.scene}\n"
    )
    return 0


if __name__ == "__main__":
    run_script(main)
