"""The rendered views: scores, a slider between truth and rendering, and all maps."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from gpnerf.evaluation.page.content import Report, ViewEntry
from gpnerf.evaluation.page.markup import Html, element, joined
from gpnerf.evaluation.page.pictures import LABELS, PAIRS, classes_shown, image, meaning
from gpnerf.evaluation.page.scores import (
    BY_NAME,
    LOWER_IS_BETTER,
    natural,
    ranks,
    score_keys,
    score_name,
    score_text,
)


def gallery(report: Report) -> Html:
    """All views, the worst by `report.worst_by` first, below the means to order and choose them."""
    last = len(report.views)
    ranked = sorted(
        zip(report.views, ranks(report.views), strict=True),
        key=lambda pair: (pair[1].get(report.worst_by, last), pair[1][BY_NAME]),
    )
    views = [_view(number, view, places, report) for number, (view, places) in enumerate(ranked, 1)]
    return joined([_toolbar(report), element("div", *views, class_="views", id="gallery"), _dialog()])


def _toolbar(report: Report) -> Html:
    """Of use to the script alone, which shows it."""
    keys = score_keys(report.views)
    groups = [
        element("optgroup", *(_order(key, order, report.worst_by) for key in keys), label=f"{order} first")
        for order in ("worst", "best")
    ]
    scenes = {view.scene for view in report.views}
    choices = [element("option", scene, value=scene) for scene in sorted(scenes, key=natural)]
    everything = element("option", f"all {len(scenes)}", value="", selected=True)
    by_name = element("option", "name", value=f"{BY_NAME} worst", selected=report.worst_by not in keys)
    fields = [
        _field("Order", element("select", *groups, by_name, id="order")),
        _field("Scene", element("select", everything, *choices, id="scene")),
    ]
    pairs = _pairs_of(report.views)
    if len(pairs) > 1:
        fields.append(_field("Compare", element("select", *map(_pair, pairs), id="pair")))
    count = element("output", f"{len(report.views)} views", id="count", aria_live="polite")
    return element("form", *fields, count, class_="toolbar", id="toolbar", hidden=True)


def _field(name: str, select: Html) -> Html:
    return element("label", element("span", name), select)


def _order(key: str, order: str, chosen: str) -> Html:
    high = (order == "worst") == (key in LOWER_IS_BETTER)
    text = f"{score_name(key)}, {'highest' if high else 'lowest'} first"
    return element("option", text, value=f"{key} {order}", selected=order == "worst" and key == chosen)


def _pairs_of(views: Sequence[ViewEntry]) -> list[tuple[str, str]]:
    return [pair for pair in PAIRS if any(set(pair) <= set(view.pictures) for view in views)]


def _pair(pair: tuple[str, str]) -> Html:
    return element("option", " | ".join(pair), value="|".join(pair))


def _view(number: int, view: ViewEntry, places: dict[str, int], report: Report) -> Html:
    name = f"{view.scene} / {view.view}"
    heading = element("h3", element("span", f"{view.scene} / "), view.view, id=f"view-{number}-name")
    scores = [
        element("div", element("dt", score_name(key)), element("dd", score_text(key, view.scores.get(key))))
        for key in score_keys(report.views)
    ]
    maps = [_map(kind, pixels, name, report) for kind, pixels in view.pictures.items()]
    return element(
        "article",
        element("header", heading, element("dl", *scores, class_="scores")),
        _comparison(view, name),
        element("div", *maps, class_="maps"),
        id=f"view-{number}",
        class_="view",
        aria_labelledby=f"view-{number}-name",
        data_scene=view.scene,
        data_ranks=json.dumps(places),
    )


def _comparison(view: ViewEntry, name: str) -> Html:
    """Slider and choice of the pair; the script puts the pictures in and shows it."""
    pairs = _pairs_of([view])
    if not pairs:
        return Html("")
    slider = element("input", type="range", min=0, max=100, value=50, step=1)
    label = element(
        "label", element("span", f"Boundary between truth and rendering of {name}", class_="unseen"), slider
    )
    tags = [
        element("span", text, class_=f"tag {side}")
        for text, side in zip(pairs[0], ("left", "right"), strict=True)
    ]
    stage = element("div", *tags, element("span", class_="handle"), label, class_="stage")
    choice = element("select", *map(_pair, pairs), aria_label=f"Pictures of {name} to compare")
    below = element("div", choice, class_="choice", hidden=len(pairs) < 2)
    return element("div", stage, below, class_="comparison", hidden=True)


def _map(kind: str, pixels: np.ndarray, name: str, report: Report) -> Html:
    text, classes = f"{name}: {meaning(kind).text}", None
    if kind in LABELS:
        shown = classes_shown(pixels, report.class_colors)
        text += f" ({', '.join(report.class_names[number] for number in shown)})"
        classes = " ".join(map(str, shown))
    picture = image(pixels, text, meaning(kind).exact)
    main = kind in PAIRS[0]
    return element(
        "figure",
        picture,
        element("figcaption", kind),
        class_="map main" if main else "map",
        data_map=kind,
        data_classes=classes,
    )


def _dialog() -> Html:
    """One picture at full size; empty until the script opens it."""
    buttons = [
        element("button", "‹", type="button", id="previous", aria_label="Previous picture"),
        element("button", "›", type="button", id="next", aria_label="Next picture"),
        element("button", "×", type="button", id="close", aria_label="Close", autofocus=True),
    ]
    bar = element("div", element("p", id="zoom-name"), *buttons, class_="bar")
    frame = element("div", id="zoom-picture")
    return element(
        "dialog", bar, frame, element("div", id="zoom-legend"), id="zoom", aria_labelledby="zoom-name"
    )
