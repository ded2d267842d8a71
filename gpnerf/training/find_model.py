"""Finds the model that a reference names: a checkpoint, a run, a weights folder, a shipped model, or a hub's.

They are tried in this order, so that a path that holds a model comes before a shipped model of the same name.
"""

from __future__ import annotations

import logging
from pathlib import Path

from gpnerf.system.errors import CheckpointError
from gpnerf.system.hub import hub_folder
from gpnerf.training.checkpoint import Checkpoint, list_checkpoints, load_checkpoint
from gpnerf.training.weights_folder import CONFIG, MODEL, is_weights_folder, read_weights

log = logging.getLogger(__name__)

# The folder of the shipped models: in a checkout, or in the package where setup.py installed it.
SHIPPED = "weights"
PACKAGE = Path(__file__).resolve().parent.parent
HUB = "hf://"


def find_model(reference: str | Path) -> Checkpoint:
    """Loads the model that a reference names, and logs which one it is.

    Raises CheckpointError if there is none, or if it cannot be read.
    """
    text = str(reference)
    if text.startswith(HUB):
        place = hub_folder(text.removeprefix(HUB), (MODEL, CONFIG), said=text)
    else:
        place = _place(Path(text)) or shipped_models().get(text) or Path(text)
    if place.is_dir() and not list_checkpoints(place) and is_weights_folder(place):
        found = read_weights(place)
    elif place.exists():
        found = load_checkpoint(place)
    else:
        raise CheckpointError(
            f"Checkpoint {text} does not exist, and {_known()}; train a model first, or name another file, "
            f"folder or shipped model, or {HUB}OWNER/NAME for one of the Hugging Face hub."
        )
    log.info(f"Using the model of {place} at step {found.step}.")
    return found


def _place(path: Path) -> Path | None:
    """The path, if it holds a model; the folder, if it is a file of a weights folder."""
    if path.is_file():
        return path.parent if path.name in (MODEL, CONFIG) else path
    return path if list_checkpoints(path) or is_weights_folder(path) else None


def shipped_models() -> dict[str, Path]:
    """The folders of the shipped models, by name."""
    places = (PACKAGE / SHIPPED, PACKAGE.parent / SHIPPED)
    return {path.parent.name: path.parent for place in places for path in sorted(place.glob(f"*/{CONFIG}"))}


def _known() -> str:
    names = sorted(shipped_models())
    return f"no shipped model has this name ({', '.join(names)} do)" if names else "no model is shipped"
