"""Models of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gpnerf.system.errors import CheckpointError


def hub_folder(name: str, files: Sequence[str], said: str) -> Path:
    """Returns the folder of a model OWNER/NAME of the hub, from its cache if it lies there already.

    files: patterns of the files that are needed; said: how the user named the model, for messages. Raises
    CheckpointError if the package huggingface_hub is missing, or if there is no such model.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise CheckpointError(
            f"{said} needs the package huggingface_hub, which is not installed; run `pip install "
            "huggingface_hub`, or install this project with its extra: `pip install -e .[hub]`."
        ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except Exception as error:  # The hub raises errors of many kinds, among them its own and the network's.
        raise CheckpointError(
            f"{said} can neither be found in the cache of huggingface_hub nor be downloaded "
            f"({type(error).__name__}); correct the name, or name a folder that you downloaded."
        ) from error
