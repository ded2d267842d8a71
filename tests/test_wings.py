"""Data sets load nothing of what learns from them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
LATER_WINGS = ("methods", "execution", "rendering", "training", "evaluation")
FOREIGN = (*(f"gpnerf.{wing}" for wing in LATER_WINGS), "torchvision", "lpips", "tensorboard")
# Imports every module of the package, and prints all that are then loaded.
IMPORT_ALL = """
import importlib, pkgutil, sys
import gpnerf.datasets as package
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(*sys.modules, sep="\\n")
"""


def loaded_with_data_sets() -> list[str]:
    """Names of the modules of a process that has imported all of gpnerf.datasets."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout.split()


def test_data_sets_load_no_network():
    loaded = loaded_with_data_sets()
    assert {"gpnerf.datasets.scene", "gpnerf.datasets.transforms.loader"} <= set(loaded)
    assert [name for name in loaded if name.startswith(FOREIGN)] == []
