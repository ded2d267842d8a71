"""Plans: files that say which rows the paper's tables have, and how each row is trained.

A plan is a file of blocks. Its title is the name of a method in the tables; each of its lines `generalized`,
`finetuned` and `per scene` is a row: a config, a file of configs/variants if need be, and further options.
A continued line is one more row of that setting. The block [every row] holds what all blocks share.
"""

from __future__ import annotations

import shlex
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from configparser import ConfigParser, Error, SectionProxy
from dataclasses import dataclass
from pathlib import Path

from gpnerf.commands.options import parse_options
from gpnerf.config.types import REPOSITORY, amount, names
from gpnerf.datasets.options import INSTANCE, NOTHING, PANOPTIC, SEMANTIC
from gpnerf.datasets.places import some_known
from gpnerf.evaluation.protocols import GSNERF, PAPER
from gpnerf.methods.registry import method_class
from gpnerf.system.errors import ConfigError

EVERY_ROW = "every row"
# Trained on other scenes; then on the scene, from those weights; trained on the scene alone.
SETTINGS = GENERALIZED, FINETUNED, PER_SCENE = ("generalized", "finetuned", "per scene")
SHARED_KEYS = ("scenes", "seeds")
# Lines that say how rows are shown: how their recipe was tuned, which tables have them if not those of their
# target, what the paper calls them if not by their method, what is claimed of them (reproduction/claims.py).
NOTES = TUNED, TABLES, PAPER_ROW, CLAIMS = ("tuned", "tables", "paper_row", "claims")
KEYS = ("view_metric", "minutes", *NOTES)
# The tables in which the scores of a target stand.
NUMBERS = LABELS_TABLE, OBJECTS_TABLE, RECONSTRUCTION, ABLATIONS = ("1", "2", "3", "4")
TABLES_OF = {
    SEMANTIC: (LABELS_TABLE, RECONSTRUCTION),
    INSTANCE: (OBJECTS_TABLE,),
    PANOPTIC: (OBJECTS_TABLE,),
    NOTHING: (RECONSTRUCTION,),
}


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the tables: a method in one setting, with one policy for source views.

    words: its options as on a command line; options: the same, parsed. minutes: of training for each cell, 0
    for the steps of the config. notes: lines of NOTES. start: the row whose weights it finetunes.
    """

    title: str
    setting: str
    words: tuple[str, ...]
    options: Namespace
    minutes: float
    notes: Mapping[str, str]
    start: Row | None = None

    @property
    def tables(self) -> tuple[str, ...]:
        """The numbers of the tables that have the row; reconstructions are scored of methods that render."""
        if self.notes.get(TABLES):
            return names(self.notes[TABLES])
        numbers = TABLES_OF[self.options.target]
        renders = method_class(self.options.method).renders
        return tuple(number for number in numbers if renders or number != RECONSTRUCTION)

    @property
    def sentence_name(self) -> str:
        """What error messages and lists call the row."""
        policy = f", {self.options.view_metric}" if self.options.num_source_views else ""
        targets = {INSTANCE: ", instances", PANOPTIC: ", classes and instances"}
        target = targets.get(self.options.target, "")
        return f"{self.title} ({self.setting}{policy}{target})"


@dataclass(frozen=True, eq=False)
class Plan:
    """A plan: the test scenes and seeds of all rows, and the rows."""

    path: Path
    scenes: tuple[str, ...]
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]


def read_plan(
    path: Path,
    passed_on: Sequence[str] = (),
    minutes: float | None = None,
    scenes: Sequence[str] | None = None,
) -> Plan:
    """Reads a plan. passed_on: options that override those of every row; minutes and scenes likewise.

    Raises ConfigError for a file that is missing or malformed, and for what cannot be trained as it says.
    """
    blocks = _read_blocks(path)
    for name in blocks.sections() if minutes is not None else ():
        blocks[name]["minutes"] = str(minutes)
    shared = blocks[EVERY_ROW]
    scenes = scenes or names(shared.get("scenes", ""))
    if not scenes:
        raise ConfigError(f"{path}: expected a line 'scenes = ...' in [{EVERY_ROW}], found none; add it.")
    rows = [
        row for title in blocks.sections() for row in _rows_of_block(path, blocks[title], scenes, passed_on)
    ]
    if not rows:
        raise ConfigError(f"{path}: expected blocks [TITLE] with a line such as 'generalized = CONFIG'.")
    return Plan(path, scenes, whole_numbers(shared.get("seeds", "0"), f"{path}: seeds"), tuple(rows))


def _read_blocks(path: Path) -> ConfigParser:
    blocks = ConfigParser(default_section=EVERY_ROW, interpolation=None, delimiters=("=",))
    try:
        blocks.read_string(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"Plan {path} cannot be read ({error.strerror}); correct --plan.") from error
    except (Error, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"Plan {path}: expected blocks of lines 'name = value' ({reason}).") from error
    return blocks


def whole_numbers(text: str, what: str) -> tuple[int, ...]:
    """The numbers of a list such as 0,1 or 0-2. Raises ConfigError for anything else."""
    found = names(text)
    if not found or not all(one.isdigit() for one in found):
        raise ConfigError(f"{what}: expected whole numbers such as 0,1,2, found {text!r}; correct them.")
    return tuple(map(int, found))


def _rows_of_block(
    path: Path, block: SectionProxy, scenes: Sequence[str], passed_on: Sequence[str]
) -> list[Row]:
    where = f"{path}, [{block.name}]"
    if "," in block.name:
        raise ConfigError(
            f"{where}: expected a title without commas, which --rows puts between titles; rename it."
        )
    shared = block.parser[EVERY_ROW]
    unknown = [key for key in block if key not in (*SHARED_KEYS, *KEYS, *SETTINGS)]
    unknown += [key for key in SHARED_KEYS if block.get(key) != shared.get(key)]
    if unknown:
        raise ConfigError(
            f"{where}: expected lines {', '.join((*SETTINGS, *KEYS))} alone, found "
            f"'{unknown[0]} = ...'; correct or remove it."
        )
    lines = [
        (setting, line) for setting in SETTINGS for line in filter(None, block.get(setting, "").splitlines())
    ]
    policies = names(block.get("view_metric", "")) or (None,)
    rows: list[Row] = []
    for policy in policies:
        chosen = [*(["--view_metric", policy] if policy else []), *passed_on]
        start = None
        for setting, line in lines:
            row = _row(where, block, setting, [*_words(where, line), *chosen], start)
            _check_row(where, row, scenes)
            start = start or (row if setting == GENERALIZED else None)
            # A policy makes no difference to a method without source views.
            if row.options.num_source_views or policy == policies[0]:
                rows.append(row)
    return rows


def _words(where: str, line: str) -> list[str]:
    """The options that a line of a block stands for: its first words are files, a config and a variant."""
    words = shlex.split(line)
    count = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    if count not in (1, 2):
        raise ConfigError(
            f"{where}: expected a config, perhaps a variant, then options, found '{line}'; correct the line."
        )
    files = [_file(where, word) for word in words[:count]]
    named = [word for pair in zip(("--config", "--variant"), files, strict=False) for word in pair]
    return [*named, *words[count:]]


def _file(where: str, name: str) -> str:
    """The path of a file that a plan names; a relative one may start at the repository."""
    for path in (Path(name), REPOSITORY / name):
        if path.is_file():
            return str(path)
    raise ConfigError(f"{where}: expected the config {name}, found no such file; correct the line.")


def _row(where: str, block: SectionProxy, setting: str, words: Sequence[str], start: Row | None) -> Row:
    """A row of a block; start: the generalized row of the same block, if it has one."""
    options = parse_options("", list(words))
    try:
        minutes = amount(block.get("minutes", "0"))
    except ArgumentTypeError as error:
        raise ConfigError(f"{where}: minutes: {error}; correct the line.") from error
    if setting == FINETUNED and start is None:
        raise ConfigError(
            f"{where}: expected a line '{GENERALIZED} = ...', from whose weights the finetuned rows start, "
            "found none; add it."
        )
    finetuned_from = start if setting == FINETUNED else None
    notes = {name: block[name] for name in NOTES if block.get(name)}
    return Row(block.name, setting, tuple(words), options, minutes, notes, finetuned_from)


def _check_row(where: str, row: Row, scenes: Sequence[str]) -> None:
    """Raises ConfigError for a setting that the method or the config rules out."""
    options, method = row.options, method_class(row.options.method)
    root = Path(options.data_root)
    unknown = [number for number in row.tables if number not in NUMBERS]
    if unknown:
        raise ConfigError(
            f"{where}: expected {TABLES} among {', '.join(NUMBERS)}, found {unknown[0]}; correct the line."
        )
    if options.protocol == GSNERF:
        raise ConfigError(
            f"{where}: expected --protocol {PAPER}, as the tables hold the paper's numbers, found {GSNERF}, "
            f"whose test scenes are others; evaluate such a run with eval.py --protocol {GSNERF}."
        )
    if method.per_scene and row.setting != PER_SCENE:
        raise ConfigError(
            f"{where}: expected '{PER_SCENE} = ...', as --method {options.method} learns a single scene, "
            f"found '{row.setting} = ...'; rename the line."
        )
    # A network for photographs may have learnt on those of another data set first.
    if row.setting == PER_SCENE and options.load_weights and method.renders:
        raise ConfigError(
            f"{where}: expected a config that starts from no weights in '{PER_SCENE}', found load_weights "
            f"{options.load_weights}; name another config, or add --load_weights ''."
        )
    if row.setting == GENERALIZED and some_known(root, scenes, root, options.train_scenes):
        raise ConfigError(
            f"{where}: expected test scenes that '{GENERALIZED}' is not trained on, found one of "
            f"{', '.join(scenes)} in train_scenes; change scenes or the config."
        )
