"""What is said of an option that the scripts do not have, or not with the chosen method."""

from __future__ import annotations

import difflib
from argparse import Namespace

from gpnerf.config.fields import option_names
from gpnerf.config.parser import Parser
from gpnerf.methods.registry import METHODS

# Options of earlier versions -> what takes their place.
REPLACED = {
    "--near": "--depth_range NEAR,FAR",
    "--far": "--depth_range NEAR,FAR",
    "--widen_range": "--vary range,unit",
}


def describe_unknown(parser: Parser, unknown: str, options: Namespace) -> str:
    """The sentence for the word `unknown` that the parser found among the `options`; names a remedy."""
    name = unknown.split("=")[0]
    files = [file for file in (options.config, options.variant) if file]
    where = f" (on the command line or in {' or '.join(files)})" if files else ""
    if name in REPLACED:
        return f"{name}{where} is no longer an option; use {REPLACED[name]}."
    owners = [
        other
        for other, kind in sorted(METHODS.items())
        if any(name[2:] in option_names(part) for part in (kind.Sizes, kind.Function, kind.Recipe))
    ]
    if owners:
        return (
            f"{name} is an option of --method {' and '.join(owners)}, found with --method "
            f"{options.method}{where}; leave it out, or choose that method."
        )
    known = [option for action in parser._actions for option in action.option_strings]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "see --help for all options."
    return f"Unknown option {name}{where}; {hint}"
