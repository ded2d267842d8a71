"""What is installed: every dependency in a version that its range holds, every file of the package."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from script_runs import REPOSITORY

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
    ],
)
def test_every_dependency_has_one_version_and_its_range_holds_it(file: str, ranges: list[str], python: str):
    versions, allowed = pinned(file, python), {one.name.lower(): one for one in map(Requirement, ranges)}
    assert versions.keys() == allowed.keys()
    for name, version in versions.items():
        assert allowed[name].specifier.contains(version), name


def test_files_beside_the_modules_are_part_of_the_package():
    package = REPOSITORY / "gpnerf"
    patterns = SETUP["tool"]["setuptools"]["package-data"]["gpnerf"]
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert files - installed == {path for path in files if path.suffix == ".py"}
    assert package / "evaluation" / "page" / "page.css" in installed
