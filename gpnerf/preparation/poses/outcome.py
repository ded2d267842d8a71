"""What became of every photograph in the search for poses, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gpnerf.preparation.poses.gather import FEWEST
from gpnerf.preparation.poses.search import Search
from gpnerf.system.errors import DataError
from gpnerf.system.wording import some


class Evidence(NamedTuple):
    """What a search found. counts: photograph -> number of features; pairs: photographs that match."""

    counts: dict[str, int]
    pairs: list[tuple[str, str]]

    @property
    def matched(self) -> set[str]:
        return {name for pair in self.pairs for name in pair}


def read_evidence(search: Search) -> Evidence:
    """Reads the evidence in the database of a search."""
    pycolmap = search.pycolmap
    with pycolmap.Database.open(search.database) as database:
        names = {image.image_id: image.name for image in database.read_all_images()}
        counts = {name: database.num_keypoints_for_image(number) for number, name in names.items()}
        found = zip(*database.read_two_view_geometry_num_inliers(), strict=True)
        ids = [
            pycolmap.pair_id_to_image_pair(pair) for pair, count in found if count >= search.fewest_matches
        ]
    return Evidence(counts, [(names[first], names[second]) for first, second in ids])


def check_found(source: Path, evidence: Evidence, placed: Sequence[set[str]]) -> None:
    """Raises DataError if no model has FEWEST photographs. placed: those of each model, the largest first."""
    if placed and len(placed[0]) >= FEWEST:
        return
    total = len(evidence.counts)
    if not evidence.pairs:
        raise DataError(
            f"{source}: expected photographs of one scene that overlap, found {total} of which no two show "
            "the same things; take more of them, a small step apart."
        )
    raise DataError(
        f"{source}: expected photographs from different places, found {len(evidence.matched)} of {total} "
        "that match, but too weakly or without a sign that the camera moved; take more, with a small step "
        "sideways between them, as a camera that only turns sees no depth."
    )


def sentences(
    names: Sequence[str], evidence: Evidence, placed: Sequence[set[str]], fewest: int
) -> Iterator[str]:
    """Says which photographs have no pose, and why.

    placed: the photographs of each model, the largest first; fewest: matches without which two photographs
    are no pair.
    """
    used, *others = placed
    elsewhere = set().union(*others) - used
    left = [name for name in names if name not in used]
    poor = {name for name in left if evidence.counts.get(name, 0) < fewest}
    reasons = {
        f"show too little, fewer than {fewest} features": poor,
        "show nothing that others show too": set(left) - evidence.matched - poor,
        f"fit together only apart from the largest of {len(placed)} models": elsewhere,
    }
    told = set().union(*reasons.values())
    reasons["match others, but too few points have a known place"] = set(left) - told
    for reason, which in reasons.items():
        if which:
            count = f"{len(which)} of {len(names)}"
            yield f"{count} photographs have no pose, as they {reason}: {some(sorted(which))}."
