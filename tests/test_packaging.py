"""What is installed: every dependency in a version that its range holds, every file of the package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny_settings
from packaging.requirements import Requirement
from script_runs import REPOSITORY

from gpnerf.training.checkpoint import Checkpoint
from gpnerf.training.find_model import SHIPPED, find_model, shipped_models
from gpnerf.training.weights_folder import CARD, MODEL, write_weights

tomllib = pytest.importorskip("tomllib", reason="part of Python from 3.11 on")
SETUP = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def pinned(file: str, python: str) -> dict[str, str]:
    """The exact version of each package of a requirements file, by its name in lower case."""
    lines = (REPOSITORY / file).read_text(encoding="utf-8").splitlines()
    entries = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    taken = [one for one in entries if one.marker is None or one.marker.evaluate({"python_version": python})]
    versions = {one.name.lower(): str(one.specifier).removeprefix("==") for one in taken}
    assert len(versions) == len(taken), "a package has two versions"
    return versions


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("file", "ranges"),
    [
        ("requirements.txt", SETUP["project"]["dependencies"]),
        ("requirements-dev.txt", SETUP["project"]["optional-dependencies"]["dev"]),
        ("requirements-poses.txt", SETUP["project"]["optional-dependencies"]["poses"]),
    ],
)
def test_every_dependency_has_one_version_and_its_range_holds_it(file: str, ranges: list[str], python: str):
    versions, allowed = pinned(file, python), {one.name.lower(): one for one in map(Requirement, ranges)}
    assert versions.keys() == allowed.keys()
    for name, version in versions.items():
        assert allowed[name].specifier.contains(version), name


def test_every_shipped_model_is_whole_and_small_enough_for_a_clone():
    for name, folder in shipped_models().items():
        assert find_model(name).step > 0 and (folder / CARD).is_file()
        assert (folder / MODEL).stat().st_size < 25e6


@pytest.mark.slow
def test_an_installed_wheel_finds_the_shipped_model(tmp_path):
    """Without tensors, as nothing is loaded here."""
    pytest.importorskip("setuptools", minversion="77", reason="builds without a network")
    source = tmp_path / "source"
    shutil.copytree(REPOSITORY / "gpnerf", source / "gpnerf", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    write_weights(source / SHIPPED / "rooms", Checkpoint(3, tiny_settings(classes=0), (), {}, {}, {}), "")
    pip = [sys.executable, "-m", "pip", "-q"]
    alone = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *alone, "-w", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([*pip, "install", *alone, "--target", tmp_path / "site", wheel], check=True)
    code = "from gpnerf.training.find_model import shipped_models; print(shipped_models()['rooms'])"
    paths = [str(tmp_path / "site"), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert Path(done.stdout.strip()) == tmp_path / "site" / "gpnerf" / SHIPPED / "rooms", done.stderr


def test_files_beside_the_modules_are_part_of_the_package():
    package = REPOSITORY / "gpnerf"
    patterns = SETUP["tool"]["setuptools"]["package-data"]["gpnerf"]
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert files - installed == {path for path in files if path.suffix == ".py"}
    assert package / "evaluation" / "page" / "page.css" in installed
