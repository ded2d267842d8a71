"""The table of an evaluation: a row per scene and their mean."""

from __future__ import annotations

from collections.abc import Sequence

from gpnerf.evaluation.results import POOLED_TITLES, TITLES, SceneResult, Scores, overall
from gpnerf.evaluation.table import Table

# In views.csv, metrics.json and comparisons alone, as the table is wide without them.
NOT_SHOWN = ("ssim_scikit", "boundary_iou", "regions")
SHOWN = tuple(name for name in (*TITLES, *POOLED_TITLES) if name not in NOT_SHOWN)
DECIBELS = ("psnr", "psnr_nearest_view")
NOTES = """
PSNR in dB of unclipped colours; SSIM with an 11x11 Gaussian window, zero-padded (as published; views.csv also
has the SSIM of scikit-image); LPIPS with VGG and inputs scaled to [-1, 1]. mIoU and average accuracy: means
over the classes present in the labels of a view; views.csv also has the boundary IoU (Cheng et al., 2021) and
the number of connected regions per true region. Pooled scores: from the summed confusion matrix of a scene,
over the classes that are labelled or predicted. AP: by the recipe of DM-NeRF, per image; strict AP counts
unmatched predictions as false positives. PQ, SQ and RQ: panoptic quality of every object (things and stuff
alike) per image, as Kirillov et al. define it; in scene PQ, an object extends over all test views, so that
its id has to be the same in all of them. An object has the class of most of its true pixels, in the
prediction too: classes are not recognised. Where objects have no known class, all have the same ("one
class"). With --target panoptic, an object has the class that is predicted, and segments of several views are
one object if they overlap by rendered depth. Label consistency: each test view's rendered labels, warped by
true depth into the next test view of the scene; the share of the pixels seen there whose rendered label is
the same, without regard to true labels. Each row is a mean over the views of a scene; the last row is the
mean over scenes. Two baselines on the same views: a copy of the nearest source photograph, and the class that
is most frequent in the test views of the scene, predicted everywhere.
"""


def scene_table(scenes: Sequence[SceneResult]) -> Table:
    """A row per scene, their mean last; a column without any value is left out."""
    rows = [(scene.scene, scene.views, scene.scores) for scene in scenes]
    rows.append(("**mean of scenes**", sum(scene.views for scene in scenes), overall(scenes)))
    titles = TITLES | POOLED_TITLES
    shown = [name for name in SHOWN if any(scores.get(name) is not None for _, _, scores in rows)]
    return Table(
        "Scenes",
        ["scene", "views", *(titles[name] for name in shown)],
        [[name, str(views), *(cell(one, scores) for one in shown)] for name, views, scores in rows],
        "Each row is a mean over the views of a scene; the last row is the mean over scenes. "
        "table.md defines every score.",
    )


def cell(name: str, scores: Scores) -> str:
    """A score as text: two decimals for decibels, three for the rest."""
    value = scores.get(name)
    if value is None:
        return "-"
    return f"{value:.2f}" if name in DECIBELS else f"{value:.3f}"
