"""Cells of the tables, and the runs of train.py and eval.py that fill them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpnerf.commands.options import parse_options
from gpnerf.datasets.places import scene_name
from gpnerf.reproduction.keys import DataVersions, evaluation_key, training_key
from gpnerf.reproduction.plan import GENERALIZED, Row

# Digits of keys in the names of folders.
SHOWN = 8


@dataclass(frozen=True, eq=False)
class Run:
    """A training of a row with one seed; of one scene, unless the row is generalized.

    words: the options of train.py, except where the run lies and starts. key: of everything that decides its
    weights. start: the run from whose weights it starts.
    """

    row: Row
    seed: int
    scene: str | None
    words: tuple[str, ...]
    key: str
    start: Run | None = None

    @property
    def name(self) -> str:
        """The name of its folder, which is the same for equal runs of two rows."""
        options = self.row.options
        about = f"_{_as_folder(options.data_root, self.scene)}" if self.scene else ""
        setting = self.row.setting.replace(" ", "_")
        return f"{options.method}_{setting}{about}_seed{self.seed}_{self.key[:SHOWN]}"

    def arguments(self, runs: Path) -> list[str]:
        """The arguments of train.py. runs: the folder of all runs."""
        begin = ["--load_weights", str(runs / self.start.name)] if self.start else []
        return [*self.words, *begin, "--out", str(runs), "--expname", self.name]


@dataclass(frozen=True, eq=False)
class Cell:
    """The scores of a row on a test scene with one seed. folder: its name in the folder of the run."""

    row: Row
    run: Run
    scene: str
    key: str

    @property
    def folder(self) -> str:
        return f"{_as_folder(self.row.options.data_root, self.scene)}_{self.key[:SHOWN]}"

    def arguments(self, runs: Path) -> list[str]:
        """The arguments of eval.py. runs: the folder of all runs."""
        place = ["--out", str(runs), "--expname", f"{self.run.name}/{self.folder}"]
        model = ["--checkpoint", str(runs / self.run.name)]
        return [*self.row.words, "--test_scenes", self.scene, *model, *place]


class Cells:
    """Makes the cells of rows; equal runs are one object.

    schedules: the options by row that set the number of steps.
    """

    def __init__(self, schedules: Mapping[Row, Sequence[str]], data: DataVersions) -> None:
        self.schedules, self.data = schedules, data
        self._runs: dict[str, Run] = {}

    def cell(self, row: Row, seed: int, scene: str) -> Cell:
        run = self._run(row, seed, scene)
        return Cell(row, run, scene, evaluation_key(run.key, row.options, self.data, scene))

    def all(self, rows: Iterable[Row], seeds: Sequence[int], scenes: Sequence[str]) -> list[Cell]:
        return [self.cell(row, seed, scene) for row in rows for seed in seeds for scene in scenes]

    def _run(self, row: Row, seed: int, scene: str) -> Run:
        start = self._run(row.start, seed, scene) if row.start else None
        own = () if row.setting == GENERALIZED else ("--train_scenes", scene, "--test_scenes", scene)
        words = (*row.words, *self.schedules[row], "--seed", str(seed), *own)
        key = training_key(parse_options("", list(words)), self.data, start and start.key)
        run = Run(row, seed, scene if own else None, words, key, start)
        return self._runs.setdefault(run.name, run)


def cells_by_run(cells: Iterable[Cell]) -> dict[Run, list[Cell]]:
    """The cells of each run; a run comes after the one from which it starts, which may have no cells."""
    found: dict[Run, list[Cell]] = {}
    for cell in cells:
        if cell.run.start:
            found.setdefault(cell.run.start, [])
        found.setdefault(cell.run, []).append(cell)
    return found


def _as_folder(root: str, scene: str) -> str:
    return scene_name(Path(root), scene).replace("/", "_")
