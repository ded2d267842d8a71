"""The parsers of the command line and of config files.

A config file holds lines `option = value`. `include = FILE` adds the lines of another file, which the lines
of the including file override. The command line overrides all files. The resolved options of a run are
written beside its checkpoints; that file can be passed to --config again.
"""

from __future__ import annotations

import sys
from argparse import SUPPRESS, Action, ArgumentDefaultsHelpFormatter, Namespace
from collections import OrderedDict
from collections.abc import Container, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

import configargparse

from gpnerf.system.errors import ConfigError
from gpnerf.system.files import write_whole

INCLUDE = "include"
# What follows on a command line belongs to the scripts that a script starts.
PASS_ON = "--"


class Parser(configargparse.ArgumentParser):
    """Reports a wrong option as a ConfigError instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:]}; see --help for the options and their values.")

    def parse_passing_on(self, arguments: Sequence[str] | None = None) -> Namespace:
        """Parses what comes before PASS_ON; the words behind it are `passed_on`, a list."""
        given = words_of(arguments)
        cut = given.index(PASS_ON) if PASS_ON in given else len(given)
        options = self.parse_args(given[:cut])
        options.passed_on = given[cut + 1 :]
        return options

    def names_in(self, titles: Container[str]) -> set[str]:
        """The names of the options in the groups with these titles."""
        groups = [group for group in self._action_groups if group.title in titles]
        return {action.dest for group in groups for action in group._group_actions}

    def show_only(self, titles: Container[str]) -> None:
        """Hides the option groups with other titles from --help; their options stay valid."""
        for group in self._action_groups:
            if group.title not in titles:
                for action in group._group_actions:
                    action.help = SUPPRESS


class ConfigFileParser(configargparse.DefaultConfigFileParser):
    """Parses lines `option = value`; `include = a.txt, b.txt` adds the lines of these files.

    Later lines override earlier ones, and lines of the including file those of included ones. Included files
    are named relative to it.
    """

    def parse(self, stream: TextIO) -> OrderedDict[str, str | list[str]]:
        return self._parse(stream, ())

    def _parse(self, stream: TextIO, outer: tuple[Path, ...]) -> OrderedDict[str, str | list[str]]:
        here = Path(stream.name).resolve()
        if here in outer:
            raise ConfigError(f"{here} includes itself through {outer[-1]}; remove one include.")
        own = super().parse(stream)
        included = own.pop(INCLUDE, None)
        items: OrderedDict[str, str | list[str]] = OrderedDict()
        for name in str(included).split(",") if included else ():
            path = here.parent / name.strip()
            try:
                with path.open(encoding="utf-8") as file:
                    items.update(self._parse(file, (*outer, here)))
            except OSError as error:
                raise ConfigError(
                    f"{here}: expected the file {path} to include, found {error.strerror}; correct the line "
                    f"'{INCLUDE} = {included}'."
                ) from error
        items.update(own)
        return items


class HelpFormatter(ArgumentDefaultsHelpFormatter):
    """Appends the default to the help of every option that has one and does not state it itself."""

    def _get_help_string(self, action: Action) -> str | None:
        if action.default in (None, ()) or "(default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def config_parser(description: str) -> Parser:
    """A parser that takes --config and --variant files."""
    parser = Parser(
        description=description,
        usage="%(prog)s [--config FILE] [--OPTION VALUE ...]",
        formatter_class=HelpFormatter,
        add_config_file_help=False,
        config_file_parser_class=ConfigFileParser,
        allow_abbrev=False,
    )
    parser.add_argument("--config", is_config_file=True, help="file of options, e.g. configs/rooms.txt")
    parser.add_argument(
        "--variant", is_config_file=True, help="file of options that override those of --config"
    )
    return parser


def words_of(arguments: Sequence[str] | None) -> list[str]:
    """The words of a command line: the arguments, or for None those of this process, as argparse has it."""
    return list(sys.argv[1:] if arguments is None else arguments)


def options_in(words: Sequence[str]) -> list[str]:
    """The names of the options among the words of a command line, in their order."""
    return [word.split("=")[0].removeprefix("--") for word in words if word.startswith("--")]


def write_options(options: Namespace, folder: Path) -> None:
    """Writes the resolved options to folder/config.txt in the format that --config reads."""
    lines = []
    for name, value in sorted(vars(options).items()):
        if name in ("config", "variant") or value is None or value == ():
            continue
        if isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, tuple):
            value = ",".join(map(str, value))
        lines.append(f"{name} = {value}\n")
    write_whole(folder / "config.txt", "".join(lines))
