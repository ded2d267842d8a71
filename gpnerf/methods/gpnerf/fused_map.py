"""The teacher, a semantic feature map of the target image, and rendered features fused into it (Fig. 3a)."""

from __future__ import annotations

import torch
from torch import Tensor

# Pixels between neighbouring cells of a map.
STRIDE = 2


def fuse(teacher: Tensor, semantic: Tensor, pixels: Tensor) -> Tensor:
    """S_fused (Fig. 3a): the teacher map [D, h, w] with rendered features [R, D] in their pixels' cells.

    pixels: [R, 2] (column, row); the cell of a pixel is (row // 2, column // 2). If several rays fall into a
    cell, the first one sets the value and receives the gradient.
    """
    rows, columns = pixels[:, 1] // STRIDE, pixels[:, 0] // STRIDE
    cells, order = (rows * teacher.shape[2] + columns).sort(stable=True)
    is_first = torch.ones_like(cells, dtype=torch.bool)
    is_first[1:] = cells[1:] != cells[:-1]
    chosen = order[is_first]
    fused = teacher.clone()
    fused[:, rows[chosen], columns[chosen]] = semantic[chosen].T.to(fused.dtype)
    return fused


def teacher_at(teacher: Tensor, pixels: Tensor) -> Tensor:
    """S_novel(r): the teacher map [D, h, w] at the cells of pixels [R, 2] -> [R, D]."""
    return teacher[:, pixels[:, 1] // STRIDE, pixels[:, 0] // STRIDE].T
