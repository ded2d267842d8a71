"""What a plan claims of its rows, tested on the views that two rows share.

A line of a block, `claims = miou above OTHER BLOCK`, says that the rows of the block have a higher score than
those of the other block in the same setting; `below` says a lower one. Every test view and seed gives a pair.
A seed's difference is the mean over its pairs, in which the difficulty of views cancels; the claim holds if
the 95 % interval of Student's t over the seeds lies on its side of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from scipy.stats import t as student

from gpnerf.evaluation.results import TITLES
from gpnerf.evaluation.table import Table
from gpnerf.reproduction.plan import CLAIMS, Plan, Row
from gpnerf.reproduction.row_facts import NOTHING
from gpnerf.system.errors import ConfigError

SIDES = {"above": 1, "below": -1}
CONFIDENCE = 0.95
HOLDS, FAILS, OPEN, UNKNOWN = "holds", "does not hold", "open", "not measured"

# Scores of the views of a row with a seed, by scene and view; empty while a cell of it is.
Views = Mapping[tuple[str, str], float]
ViewsOf = Callable[[Row, int, str], Views]


@dataclass(frozen=True)
class Claim:
    """The claim that the score of a row is above (side 1) or below (side -1) that of another."""

    row: Row
    score: str
    side: int
    other: Row


@dataclass(frozen=True)
class Finding:
    """Differences of two rows: the mean of each seed, and the share of views in which the claim is right.

    A view counts by its mean over seeds.
    """

    differences: Sequence[float]
    share: float

    @property
    def margin(self) -> float | None:
        """Half the width of the interval; None for one seed, which has none."""
        count = len(self.differences)
        if count < 2:
            return None
        return student.ppf((1 + CONFIDENCE) / 2, count - 1) * stdev(self.differences) / sqrt(count)

    def verdict(self, side: int) -> str:
        if self.margin is None:
            return OPEN
        lead = side * fmean(self.differences)
        return HOLDS if lead > self.margin else FAILS if lead < -self.margin else OPEN


def read_claims(plan: Plan) -> list[Claim]:
    """The claims of a plan. Raises ConfigError for one that cannot be read or names no row of the plan."""
    return [
        _claim(plan, row, line)
        for row in plan.rows
        for line in filter(None, row.notes.get(CLAIMS, "").splitlines())
    ]


def _claim(plan: Plan, row: Row, line: str) -> Claim:
    words = line.split(maxsplit=2)
    if len(words) < 3 or words[0] not in TITLES or words[1] not in SIDES:
        raise ConfigError(
            f"{plan.path}, [{row.title}]: expected {CLAIMS} such as 'miou above TITLE', with a score of "
            f"views.csv and {' or '.join(SIDES)}, found '{line}'; correct the line."
        )
    others = [one for one in plan.rows if one.title == words[2] and one.setting == row.setting]
    if len(others) != 1:
        raise ConfigError(
            f"{plan.path}, [{row.title}]: expected one {row.setting} row in the block that '{line}' names, "
            f"found {len(others)}; correct the title, or divide the block."
        )
    return Claim(row, words[0], SIDES[words[1]], others[0])


def compare(pairs: Iterable[Sequence[Views]], side: int) -> Finding | None:
    """Compares the views of two rows, a pair of them for each seed; None without a view that both have."""
    by_seed = [
        {view: first[view] - second[view] for view in first.keys() & second.keys()} for first, second in pairs
    ]
    by_seed = [one for one in by_seed if one]
    if not by_seed:
        return None
    everywhere = set.intersection(*(set(one) for one in by_seed))
    means = [fmean(one[view] for one in by_seed) for view in everywhere]
    right = fmean(side * mean > 0 for mean in means) if means else 0.0
    return Finding([fmean(one.values()) for one in by_seed], right)


def claims_table(claims: Sequence[Claim], seeds: Sequence[int], views_of: ViewsOf, command: str) -> Table:
    """A row per claim. command: fills what is not measured."""
    lines, lacking = [], False
    for claim in claims:
        rows = claim.row, claim.other
        pairs = [[views_of(row, seed, claim.score) for row in rows] for seed in seeds]
        finding = compare(pairs, claim.side)
        lacking |= finding is None or len(finding.differences) < len(seeds)
        lines.append(_line(claim, finding))
    columns = ["row", "score", "claimed", "difference", "of each seed", "views in favour", "verdict"]
    note = (
        "Difference: mean over the test views that both rows have, with the 95 % interval of Student's t "
        "over seeds. Views in favour: by their means over seeds. "
        f"A claim is {OPEN} if its interval contains 0, or if it has one seed."
    )
    return Table("Claims", columns, lines, f"{note} Missing seeds: `{command}`." if lacking else note)


def _line(claim: Claim, finding: Finding | None) -> list[str]:
    side = next(name for name, value in SIDES.items() if value == claim.side)
    start = [claim.row.title, TITLES[claim.score], f"{side} {claim.other.title}"]
    if finding is None:
        return [*start, *[NOTHING] * 3, UNKNOWN]
    margin = "" if finding.margin is None else f" ± {finding.margin:.3f}"
    each = ", ".join(f"{one:+.3f}" for one in finding.differences)
    found = f"{fmean(finding.differences):+.3f}{margin}", each, f"{finding.share:.0%}"
    return [*start, *found, finding.verdict(claim.side)]
