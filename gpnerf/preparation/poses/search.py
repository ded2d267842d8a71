"""COLMAP's search for poses, by pycolmap: features of photographs -> matches -> models."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tqdm import tqdm

from gpnerf.preparation.poses.target import IMAGES
from gpnerf.system.errors import ConfigError

SEED = 0


def load_pycolmap() -> ModuleType:
    """The module pycolmap, silent below errors. Raises ConfigError if it is not installed."""
    try:
        import pycolmap
    except ImportError:
        raise ConfigError(
            'Finding poses needs pycolmap, which is not installed: run `pip install -e ".[poses]"`.'
        ) from None
    pycolmap.logging.minloglevel = pycolmap.logging.ERROR.value
    pycolmap.set_random_seed(SEED)
    return pycolmap


class Search:
    """The search in a work folder, whose photographs lie in IMAGES; a database there keeps what is found."""

    def __init__(self, pycolmap: ModuleType, work: Path) -> None:
        self.pycolmap = pycolmap
        self.work, self.images, self.database = work, work / IMAGES, work / "database.db"
        self.verification = pycolmap.TwoViewGeometryOptions()
        self.verification.ransac.random_seed = SEED

    @property
    def fewest_matches(self) -> int:
        """So many matches that agree on the motion of the camera make a pair of photographs."""
        return self.verification.min_num_inliers

    def find_features(self, groups: Sequence[Sequence[str]]) -> None:
        """Finds features in groups of photographs, by name; those of a group share a camera."""
        if self.database.is_file():
            return
        partial = self.work / "database.partial"
        partial.unlink(missing_ok=True)
        self.pycolmap.Database.open(partial).close()
        # Before their features are found, in whichever order: results depend on the numbers of photographs.
        for names in groups:
            self.pycolmap.import_images(partial, self.images, self.pycolmap.CameraMode.SINGLE, names)
        self.pycolmap.extract_features(partial, self.images, [name for names in groups for name in names])
        os.replace(partial, self.database)

    def camera_groups(self, names: Sequence[str]) -> list[list[str]]:
        """Groups photographs by size and focal length; without one in its EXIF data, the size decides."""
        groups = defaultdict(list)
        for name in names:
            camera = self.pycolmap.infer_camera_from_image(self.images / name)
            groups[camera.width, camera.height, camera.mean_focal_length()].append(name)
        return list(groups.values())

    def match(self, sequential: bool) -> None:
        """Matches all pairs, or each photograph with those that follow it; pairs that are matched stay."""
        run = self.pycolmap.match_sequential if sequential else self.pycolmap.match_exhaustive
        run(self.database, verification_options=self.verification)

    def find_models(self, total: int) -> list[Any]:
        """Finds poses and points: pycolmap's reconstructions, the largest first."""
        options = self.pycolmap.IncrementalPipelineOptions()
        options.random_seed = SEED
        folder = self.work / "models"
        folder.mkdir(exist_ok=True)
        with tqdm(total=total, desc="Finding poses", unit="photograph") as bar:
            models = self.pycolmap.incremental_mapping(
                self.database,
                self.images,
                folder,
                options,
                # COLMAP may try a photograph more than once.
                next_image_callback=lambda: bar.update(min(1, total - bar.n)),
            )
        return sorted(models.values(), key=lambda model: -model.num_reg_images())
