"""Writes a mesh as binary glTF, which browsers and 3D programs open."""

from __future__ import annotations

from pathlib import Path

from gpnerf.export.mesh import Mesh
from gpnerf.system.errors import ConfigError
from gpnerf.system.files import write_whole

# glTF wants names of a program's own attributes to begin with an underscore, which trimesh adds.
LABEL = "LABEL"


def write_glb(path: Path, mesh: Mesh) -> None:
    """Writes vertices, triangles, colours and, if there are some, labels as the attribute _LABEL.

    Raises ConfigError without the package trimesh.
    """
    try:
        import trimesh
    except ImportError as error:
        raise ConfigError(
            f"{path} needs the package trimesh, which is not installed; install this project with its extra: "
            '`pip install -e ".[export]"`.'
        ) from error
    attributes = {} if mesh.look.labels is None else {LABEL: mesh.look.labels.astype("float32")}
    form = trimesh.Trimesh(
        mesh.vertices,
        mesh.triangles,
        vertex_colors=mesh.look.colors,
        vertex_attributes=attributes,
        process=False,
    )
    write_whole(path, form.export(file_type="glb"))
