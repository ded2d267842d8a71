"""Class names of transforms.json, the id that means "no label", and who made the labels."""

from __future__ import annotations

from collections import Counter

from gpnerf.datasets.files.records import printable
from gpnerf.datasets.labels import LARGEST_ID
from gpnerf.datasets.transforms.text import SceneText

DEFAULT_IGNORE_LABEL = 255


def class_names_of(text: SceneText) -> tuple[str, ...]:
    """Class names in the order of their ids; () for a scene without labels."""
    names = text.top.values.get("semantic_classes")
    if names is None:
        labelled = [frame for frame in text.frames if frame.record.values.get("semantic_path")]
        if labelled:
            raise text.top.fault(
                "semantic_classes",
                f"the list of class names, as {len(labelled)} frames have a 'semantic_path'",
                "add the names in the order of their ids",
            )
        return ()
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise text.top.fault("semantic_classes", "a list of class names")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        expected = f"a list of different names (not {count} times '{printable(name)}')"
        raise text.top.fault("semantic_classes", expected, "name each class once")
    return tuple(names)


def ignore_label(text: SceneText, class_names: tuple[str, ...], warnings: list[str]) -> int:
    """The id that means "no label".

    Where this id is also that of a class, it raises DataError, or adds to `warnings` if the file states it.
    """
    key = "ignore_label"
    label = text.top.integer(key, DEFAULT_IGNORE_LABEL, 0, LARGEST_ID)
    if label < len(class_names):
        meant = f"{label} is '{printable(class_names[label])}' in 'semantic_classes'"
        if text.top.values.get(key) is None:
            expected = f"stated with {len(class_names)} classes ({meant}, and unlabelled by default)"
            raise text.top.fault(key, expected, f"state it, as {LARGEST_ID} if every pixel has a label")
        warnings.append(f"{text.top.place}: {meant} and unlabelled by '{key}', so that class is never seen.")
    return label


def labels_made_by(text: SceneText, warnings: list[str]) -> str:
    """The model that made the labels, which is added to `warnings`; "" for true labels."""
    model = text.top.text("labels_made_by") or ""
    if model:
        warnings.append(f"{text.top.place}: its labels were made by {model}, so they are not the truth.")
    return model
