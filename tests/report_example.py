"""A small report with known numbers, and a reader that turns its page into a tree."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np
from PIL import Image

from gpnerf.evaluation.page import Curve, Report, ViewEntry
from gpnerf.evaluation.table import Table

VOID = {"img", "input", "link", "meta"}
NAMES = ("wall", "floor", "chair", "lamp")
COLORS = np.array([[200, 120, 40], [40, 90, 200], [30, 160, 60], [240, 220, 70]], np.uint8)
# Rows: truth. Nothing is labelled chair, four pixels are taken for one; lamps do not occur.
CONFUSION = np.array([[6, 2, 0, 0], [1, 3, 4, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.int64)
IOUS = [6 / 9, 0.3, 0.0, None]
EVIL = "<script>alert(1)</script>"
QUOTES = "\"quoted\" & 'single'"


def pictures(seed: int, height: int = 24, width: int = 32) -> dict[str, np.ndarray]:
    """All eight kinds, with something of everything in them; the labels are wall above floor."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    labels = np.repeat(COLORS[[0, 1]], (height // 2, height - height // 2), axis=0)[:, None].repeat(width, 1)
    kinds = ("photograph", "rendered", "color_error", "true_depth", "rendered_depth")
    return {kind: noise // 2 + 10 * number for number, kind in enumerate(kinds)} | {
        "labels": labels,
        "rendered_labels": COLORS[np.full((height, width), 2)],
        "features": noise,
    }


def views() -> list[ViewEntry]:
    """By psnr: b/10, a/9, b/2, a/1; the third has no mIoU."""
    psnrs = {("a", "1"): 30.0, ("a", "9"): 15.0, ("b", "2"): 22.5, ("b", "10"): 12.25}
    mious = {("a", "1"): 0.5, ("a", "9"): 0.75, ("b", "2"): None, ("b", "10"): 0.25}
    return [
        ViewEntry(*name, {"psnr": psnrs[name], "lpips": psnrs[name] / 100, "miou": mious[name]}, pictures(n))
        for n, name in enumerate(psnrs)
    ]


def example(**changes: Any) -> Report:
    """A full report; changes: fields of it."""
    table = Table(
        "Test scenes",
        ["scene", "PSNR"],
        [["a", "22.50"], ["b", "17.38"], ["**mean of scenes**", "19.94"]],
        note="PSNR in dB.",
    )
    steps = list(range(0, 1000, 10))
    content = {
        "title": "Two scenes",
        "facts": {"protocol": "generalizable", "seed": "7", "command": "python eval.py --expname x"},
        "tables": [table],
        "class_names": NAMES,
        "class_colors": COLORS,
        "confusion": CONFUSION,
        "class_ious": IOUS,
        "curves": [
            Curve("held_out/psnr", [0, 500, 990], [10.0, 18.0, 20.0]),
            Curve("training/loss", steps, [1000.0 / (step + 10) for step in steps]),
            Curve("training/psnr", steps, [10.0 + step / 90 for step in steps]),
        ],
        "views": views(),
        "worst_by": "psnr",
    }
    return Report(**{**content, **changes})


@dataclass
class Node:
    """An element; children are nodes and texts."""

    name: str
    attributes: dict[str, str | None]
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, name: str = "", **attributes: str) -> list[Node]:
        """Elements below this one, in order; attributes in Python's spelling, class_ names one of them."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [node for node in self.walk() if name in ("", node.name) and node.has(wanted)]

    def one(self, name: str = "", **attributes: str) -> Node:
        (node,) = self.all(name, **attributes)
        return node

    def has(self, wanted: dict[str, str]) -> bool:
        classes = (self.attributes.get("class") or "").split()
        return all(
            value in classes if key == "class" else self.attributes.get(key) == value
            for key, value in wanted.items()
        )

    def walk(self) -> Iterator[Node]:
        for child in self.children:
            if isinstance(child, Node):
                yield child
                yield from child.walk()


class Reader(HTMLParser):
    """Builds the tree; every element must be closed where it was opened, and no attribute come twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open = [Node("page", {})]
        self.feed(text)
        self.close()
        assert len(self.open) == 1, f"never closed: {[node.name for node in self.open[1:]]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of <{tag}> comes twice"
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        node = self.open.pop()
        assert node.name == tag, f"</{tag}> where <{node.name}> is open"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def tree(text: str) -> Node:
    return Reader(text).open[0]


def decoded(uri: str) -> Image.Image:
    """The picture of a data URI."""
    (data,) = re.fullmatch(r"data:image/webp;base64,([A-Za-z0-9+/]+=*)", uri).groups()
    return Image.open(io.BytesIO(base64.b64decode(data)))


def is_exact(uri: str) -> bool:
    """Whether the file of a data URI was compressed without loss: its first chunk says so."""
    return base64.b64decode(uri.partition(",")[2])[12:16] == b"VP8L"
