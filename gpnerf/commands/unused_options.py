"""What a script does not use of its command line, said in a sentence."""

from __future__ import annotations

from collections.abc import Sequence, Set

from gpnerf.config.parser import options_in

# Options in the groups that a script reads, of which it makes no use, and used ones in other groups.
IDLE = {
    "eval": {"seed", "train_scenes"},
    "render": {"seed", "train_scenes", "target", "source_frames", "train_frames", "held_out"},
}
USED = {"train": {"chunk_size", "guide"}, "eval": {"workers"}}


def unused_options(script: str, words: Sequence[str], read: Set[str], kept: Set[str]) -> str | None:
    """A sentence about the options of a command line that have no effect; None if all have.

    read: names of the options in the groups that the script reads. kept: those that a model has from its
    training.
    """
    used = (read | USED.get(script, set())) - IDLE.get(script, set())
    unused = [name for name in dict.fromkeys(options_in(words)) if name not in used]
    if not unused:
        return None
    of_model = [f"--{name}" for name in unused if name in kept]
    reason = f": the model keeps the {', '.join(of_model)} of its training" if of_model else ""
    return f"{script}.py does not use --{', --'.join(unused)}{reason}."
