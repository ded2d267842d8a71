"""The paper's Tables 1 to 3 from the records of a store, with published numbers in columns of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from gpnerf.evaluation.label_scoring import joint_origin
from gpnerf.evaluation.published_numbers import (
    DETECTORS,
    TABLE_1,
    TABLE_2_AVERAGE,
    TABLE_2_METHODS,
    TABLE_3,
    TABLE_4,
)
from gpnerf.evaluation.table import Table, mean_and_spread
from gpnerf.reproduction.plan import (
    ABLATIONS,
    GENERALIZED,
    LABELS_TABLE,
    OBJECTS_TABLE,
    PAPER_ROW,
    RECONSTRUCTION,
    TUNED,
    Plan,
    Row,
)
from gpnerf.reproduction.row_facts import NOTHING, measured, model_of, stated

PERCENT = 100.0
SOURCE = (
    "Columns 'paper' hold the numbers that the paper prints (CVPR 2024, Table {number}), on its own data."
)
TIMES = (
    "Core-minutes of training and core-seconds of a view: time of all cores together, on a GPU by the clock; "
    "a sum names the training from which a finetuned row starts first."
)
# Options that must agree for a comparison of rows to be fair, besides the training scenes.
SHARED = ("dataset", "height", "width", "border", "views_per_room", "label_space", "depth_range")
SHARED += ("split_by", "test_frames", "test_limit", "source_frames", "train_frames", "held_out", "protocol")

# The record of a cell, None where it is missing.
Lookup = Callable[[Row, int, str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Score:
    """A column of scores: the name of the score, its title, and how it is written."""

    name: str
    title: str
    scale: float = 1.0
    decimals: int = 2


@dataclass(frozen=True)
class Shape:
    """What makes a table: its number, title, scores, the titles of the paper's columns, and their values.

    published: values of the paper by method and setting; each is as long as `paper`. per_scene: the first
    score has a column for each scene.
    """

    number: str
    title: str
    scores: tuple[Score, ...]
    paper: tuple[str, ...]
    published: Mapping[tuple[str, str], Sequence[float]]
    note: str
    per_scene: bool = False


def _both_data_sets() -> dict[tuple[str, str], list[float]]:
    return {row: [*values["replica"], *values["scannet"]] for row, values in TABLE_1.items()}


def _instances() -> dict[tuple[str, str], list[float]]:
    settings = dict(zip(TABLE_2_METHODS, ("per scene", "per scene", "per scene", "finetuned"), strict=True))
    return {
        (method, settings[method]): [value]
        for method, value in zip(TABLE_2_METHODS, TABLE_2_AVERAGE, strict=True)
    }


ACCURACIES = (
    Score("total_accuracy", "total acc.", PERCENT),
    Score("average_accuracy", "avg. acc.", PERCENT),
    Score("miou", "mIoU", PERCENT),
)
QUALITIES = (
    Score("psnr", "PSNR"),
    Score("ssim", "SSIM", decimals=3),
    Score("lpips_as_published", "LPIPS", decimals=3),
)
SHAPES = {
    LABELS_TABLE: Shape(
        LABELS_TABLE,
        "Table 1. Semantic segmentation",
        ACCURACIES,
        tuple(f"paper, {data} {score.title}" for data in ("Replica", "ScanNet") for score in ACCURACIES),
        _both_data_sets(),
        "Percent; mIoU and average accuracy over the classes present in the labels of a view.",
    ),
    OBJECTS_TABLE: Shape(
        OBJECTS_TABLE,
        "Table 2. Instance segmentation, AP at 0.75",
        (
            Score("ap_75", "AP", PERCENT),
            Score("strict_ap_75", "strict AP", PERCENT),
            Score("pq", "PQ", PERCENT),
        ),
        ("paper, Replica AP",),
        _instances(),
        "Percent, per image, by the recipe of DM-NeRF; strict AP counts unmatched predictions as false. PQ: "
        "panoptic quality, in which objects have their true class; in generalized rows, the class predicted. "
        f"{' and '.join(DETECTORS)} label the photograph of the test view, which the others do not see.",
        per_scene=True,
    ),
    RECONSTRUCTION: Shape(
        RECONSTRUCTION,
        "Table 3. Reconstruction",
        QUALITIES,
        tuple(f"paper, ScanNet {score.title}" for score in QUALITIES),
        TABLE_3,
        "PSNR of unclipped colours; SSIM with an 11x11 Gaussian window (the paper took some rows from "
        "Semantic-Ray, whose window is uniform); LPIPS: VGG with inputs in [0, 1], as published.",
    ),
    ABLATIONS: Shape(
        ABLATIONS,
        "Table 4. Ablations",
        (
            Score("miou", "mIoU", PERCENT),
            Score("boundary_iou", "boundary IoU", PERCENT),
            Score("regions", "regions"),
            Score("psnr", "PSNR"),
            Score("depth_abs_rel", "depth abs. rel.", decimals=3),
        ),
        ("paper, ScanNet mIoU", "paper, ScanNet PSNR"),
        TABLE_4,
        "Percent; mIoU over the classes present in the labels of a view, boundary IoU (Cheng et al., 2021) "
        "likewise. Regions: connected regions of the rendered labels for each one of the true labels.",
    ),
}


def make_table(
    number: str, plan: Plan, seeds: Sequence[int], lookup: Lookup, command: Callable[[Sequence[str]], str]
) -> Table:
    """Makes a table: a row per row of the plan, then the published rows that the plan lacks.

    command: the command that fills the cells of the rows with some titles.
    """
    shape = SHAPES[number]
    rows = [row for row in plan.rows if number in row.tables]
    lines, known, lacking, records = [], set(), [], []
    for row in rows:
        model = model_of(row)
        found = {(seed, scene): lookup(row, seed, scene) for seed in seeds for scene in plan.scenes}
        cells = [cell for cell in found.values() if cell]
        lacking += [row.title] if len(cells) < len(found) else []
        records += cells
        values = {**stated(row, model), **measured(cells), **_scores(shape, plan.scenes, seeds, found)}
        printed = row.notes.get(PAPER_ROW, model.paper_row), row.setting
        known.add(printed)
        lines.append(values | _paper(shape, shape.published.get(printed)))
    for method, setting in shape.published.keys() - known if rows else ():
        published = _paper(shape, shape.published[method, setting])
        lines.append({"method": method, "setting": setting, **published})
    lines[len(rows) :] = sorted(lines[len(rows) :], key=lambda line: (line["method"], line["setting"]))
    columns = list(lines[0]) if lines else ["method"]
    body = [[line.get(column, NOTHING) for column in columns] for line in lines]
    note = " ".join([_note(shape, rows, lacking, command), *_origin(records)])
    return Table(f"{shape.title}", columns, body, note)


def _scores(
    shape: Shape,
    scenes: Sequence[str],
    seeds: Sequence[int],
    found: Mapping[tuple[int, str], Mapping[str, Any] | None],
) -> dict[str, str]:
    """The scores of a row, means over its scenes; a seed without some of the scenes does not count."""

    def text(score: Score, over: Iterable[str]) -> str:
        chosen = [[found[seed, scene] for scene in over] for seed in seeds]
        whole = [cells for cells in chosen if None not in cells]
        values = [_mean([cell["scores"].get(score.name) for cell in cells], score.scale) for cells in whole]
        return mean_and_spread(values, score.decimals, NOTHING)

    single = {f"{shape.scores[0].title}, {scene}": text(shape.scores[0], [scene]) for scene in scenes}
    means = {score.title: text(score, scenes) for score in shape.scores}
    return {**(single if shape.per_scene else {}), **means}


def _mean(values: Sequence[float | None], scale: float) -> float | None:
    return None if None in values else scale * fmean(values)


def _paper(shape: Shape, values: Sequence[float] | None) -> dict[str, str]:
    if values is None:
        return dict.fromkeys(shape.paper, NOTHING)
    # The paper prints as many decimals as we do.
    decimals = [shape.scores[number % len(shape.scores)].decimals for number in range(len(values))]
    texts = [f"{value:.{places}f}" for value, places in zip(values, decimals, strict=True)]
    return dict(zip(shape.paper, texts, strict=True))


def _note(
    shape: Shape, rows: Sequence[Row], lacking: Sequence[str], command: Callable[[Sequence[str]], str]
) -> str:
    sentences = [shape.note, SOURCE.format(number=shape.number), TIMES]
    sentences += [_fairness(rows), _beginning(rows), _tuning(rows)]
    if lacking:
        sentences.append(f"Empty cells are filled by `{command(list(dict.fromkeys(lacking)))}`.")
    return " ".join(filter(None, sentences))


def _origin(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence on labels that models made, if any cell was scored on such."""
    return [f"**Labels {told}.**" for told in joint_origin(cells).values()]


def _fairness(rows: Sequence[Row]) -> str:
    """Whether all rows have the same data, or in which options they differ."""
    values = {name: [getattr(row.options, name) for row in rows] for name in SHARED}
    values["train_scenes"] = [row.options.train_scenes for row in rows if row.setting == GENERALIZED]
    differing = [name for name, column in values.items() if len(set(column)) > 1]
    if differing:
        return f"**The rows differ in {', '.join(differing)}, so that differences of scores mean little.**"
    return "All rows have the same training scenes, test views and photographs that may be sources."


def _beginning(rows: Sequence[Row]) -> str:
    """Which rows start from weights that are not of the store, which does not know what those cost."""
    weights = {
        row.title: row.options.load_weights for row in rows if row.options.load_weights and not row.start
    }
    return " ".join(
        f"**{title} starts from {one}, whose scenes and core-minutes are not counted.**"
        for title, one in weights.items()
    )


def _tuning(rows: Sequence[Row]) -> str:
    """How the recipes were tuned, as the plan says."""
    by_title = {row.title: row.notes.get(TUNED, "not stated") for row in rows}
    by_budget: dict[str, list[str]] = {}
    for title, tuned in by_title.items():
        by_budget.setdefault(tuned, []).append(title)
    told = "; ".join(f"{', '.join(titles)}: {tuned}" for tuned, titles in by_budget.items())
    return f"Tuning of the recipes: {told}." if told else ""
