"""The model card of exported weights: README.md with the header that Hugging Face's hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpnerf.datasets.options import PANOPTIC
from gpnerf.datasets.variation import SIZE, SOURCES
from gpnerf.evaluation.label_scoring import ORIGIN
from gpnerf.evaluation.results import EvaluationResult
from gpnerf.evaluation.scene_table import scene_table
from gpnerf.evaluation.table import facts_line, markdown_rows
from gpnerf.methods.registry import method_class
from gpnerf.system.wording import some
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.weights_folder import CONFIG, MODEL, recorded

HEADER = """---
license: mit
library_name: gpnerf
pipeline_tag: image-to-3d
tags:
- novel-view-synthesis
- neural-radiance-field
- semantic-segmentation
- depth-estimation
---
"""
# Facts of an evaluation that its scores depend on.
SCORED = (
    "protocol",
    "setting",
    "dataset",
    "step",
    "commit",
    "size",
    "stride",
    "guide",
    "source views",
    ORIGIN,
)
SYNTHETIC = "rooms"
# What is the same in all examples, unless a training varied it.
UNTRAINED = {SIZE: "image sizes", SOURCES: "numbers of source views"}


def model_card(name: str, checkpoint: Checkpoint, scores: EvaluationResult | None) -> str:
    """Writes the card of a model. scores: of an evaluation of the same step; None leaves the section out."""
    training = recorded(checkpoint.options)
    sections = {
        "Model": _model(checkpoint),
        "Training": _training(checkpoint.step, training),
        "Scores": _scores(scores) if scores else "",
        "Limits": _limits(checkpoint, training),
        "Use": _use(name),
        "Licence": "MIT, as the code.",
    }
    texts = [f"## {title}\n\n{text}\n" for title, text in sections.items() if text]
    return "\n".join([HEADER, f"# {name}\n", *texts])


def _model(checkpoint: Checkpoint) -> str:
    count = sum(tensor.numel() for tensor in checkpoint.model.values())
    names = checkpoint.class_names
    labels = f"labels of {len(names)} classes ({', '.join(names)})" if names else "no labels"
    labels += ", with instances" if checkpoint.options.get("target") == PANOPTIC else ""
    place = "From a few photographs of a scene with known cameras, this model"
    if _is_of_one_scene(checkpoint):
        place = "This model represents the scene of its training. It"
    return (
        f"{place} renders the colour and depth of other views, and {labels}. The method is "
        f"`{checkpoint.settings.method}`; {count:,} weights are stored as float16 in `{MODEL}`, the sizes "
        f"and the recipe of the training in `{CONFIG}`."
    )


def _is_of_one_scene(checkpoint: Checkpoint) -> bool:
    settings = checkpoint.settings
    return method_class(settings.method).of_one_scene(settings.recipe)


def _training(step: int, training: Mapping[str, Any]) -> str:
    """A list of what is known of the training."""
    scenes, size = training.get("train_scenes", ()), (training.get("width"), training.get("height"))
    known = {
        "data": training.get("dataset"),
        "scenes": f"{len(scenes)} ({some(scenes)})" if scenes else None,
        "photographs": None if None in size else f"{size[0]}x{size[1]} pixels",
        "source views": training.get("num_source_views"),
        "varied": ", ".join(training.get("vary", ())) or None,
        "mean of": "; ".join(training.get("averaged", ())) or None,
        "started from": training.get("load_weights") or training.get("imported"),
        "steps": f"{step:,} of {training.get('num_rays', '?')} rays" if step else None,
        "seed": training.get("seed"),
        "core-hours": training.get("core_hours"),
        "commit": training.get("commit"),
    }
    return "\n".join(f"* {fact}: {value}" for fact, value in known.items() if value is not None)


def _scores(result: EvaluationResult) -> str:
    facts = {name: result.facts[name] for name in SCORED if name in result.facts}
    return f"{markdown_rows(scene_table(result.scenes))}\nMade by eval.py: {facts_line(facts)}."


def _limits(checkpoint: Checkpoint, training: Mapping[str, Any]) -> str:
    limits, of_one_scene = [], _is_of_one_scene(checkpoint)
    if of_one_scene:
        limits.append("It knows no other scene.")
    elif training.get("dataset") == SYNTHETIC:
        limits.append(
            "The model has only seen synthetic rooms. In real photographs, expect blurred colour and wrong "
            "labels until it is finetuned."
        )
    if checkpoint.class_names:
        limits.append("It knows no classes but those above, and gives every pixel one of them.")
    limits.append(
        "Surfaces that no source view shows, and depth where surfaces have no texture, are guesses."
    )
    varied = training.get("vary", ())
    untrained = [words for kind, words in UNTRAINED.items() if kind not in varied]
    if untrained and not of_one_scene:
        limits.append(f"Other {' and '.join(untrained)} work, but were not trained.")
    return "\n".join(f"* {limit}" for limit in limits)


def _use(name: str) -> str:
    return f"""`{name}` stands for this folder, or for its name if it lies in `weights` of the code.

```python
import gpnerf

model = gpnerf.load("{name}")
```

```
python eval.py --config CONFIG --checkpoint {name}
python train.py --config CONFIG --load_weights {name} --expname finetuned
```"""
