"""Installs the models of weights/ inside the package; pyproject.toml says everything else."""

from pathlib import Path
from shutil import copytree

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithModels(build_py):
    """Adds the shipped models to what is built; an editable installation reads them from the checkout."""

    def run(self) -> None:
        super().run()
        models = Path("weights")
        if models.is_dir() and not self.editable_mode:
            copytree(models, Path(self.build_lib) / "gpnerf" / models, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithModels})
