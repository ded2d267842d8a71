"""What the 2D methods share: they label single photographs, and know nothing of cameras."""

from __future__ import annotations

from typing import Any, ClassVar

from gpnerf.datasets.options import INSTANCE, SEMANTIC
from gpnerf.methods.method import PHOTOGRAPH, Method


class Segmenter(Method):
    """Labels the photograph of a test view, which the methods that render views do not see.

    It has `target_map` and `labels`, and no part that renders. It learns from photographs with labels alone.
    """

    renders, sees_target = False, True
    targets = (SEMANTIC, INSTANCE)
    source_views, fixed_source_views = 0, True
    defaults: ClassVar[dict[str, Any]] = {"segment": PHOTOGRAPH}

    def bytes_per_ray(self, views: int) -> int:
        """See Method. A photograph is labelled as a whole, whatever the number of rays."""
        return 1
