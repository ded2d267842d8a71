"""Pictures inside the page: what each kind shows, and its bytes as a data URI."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

# Options of Pillow for WebP. Without loss, quality and method say how long it may search: for depth maps of
# 320 x 240 these take half the time that those below would, for one percent more bytes.
EXACT = {"lossless": True, "quality": 50, "method": 2}
NEARLY = {"quality": 85, "method": 4}
TURBO = "red is near, dark blue far, grey unknown"


@dataclass(frozen=True)
class Meaning:
    """Of a kind of picture. exact: every pixel is a value, to be kept as it is."""

    text: str
    exact: bool = False


MEANINGS = {
    "photograph": Meaning("photograph"),
    "rendered": Meaning("rendered colour"),
    "colour error": Meaning("difference of photograph and rendering, from black for none to yellow"),
    "true depth": Meaning(f"measured depth; {TURBO}", exact=True),
    "rendered depth": Meaning(f"rendered depth; {TURBO}", exact=True),
    "labels": Meaning("true labels", exact=True),
    "rendered labels": Meaning("rendered labels", exact=True),
    "features": Meaning("rendered semantic features, three principal components as colours"),
}
LABELS = ("labels", "rendered labels")
# What belongs together, truth first.
PAIRS = (("photograph", "rendered"), ("labels", "rendered labels"), ("true depth", "rendered depth"))


def meaning(name: str) -> Meaning:
    return MEANINGS.get(name, Meaning(name))


def data_uri(pixels: np.ndarray, exact: bool) -> str:
    """uint8 RGB [H, W, 3] as WebP, without loss where exact."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", **(EXACT if exact else NEARLY))
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def classes_shown(pixels: np.ndarray, class_colors: np.ndarray) -> list[int]:
    """The classes whose colours occur in a map of labels [H, W, 3]."""
    return np.flatnonzero(np.isin(_color_codes(class_colors), _color_codes(pixels))).tolist()


def _color_codes(pixels: np.ndarray) -> np.ndarray:
    """uint8 RGB [..., 3] -> int64 [...], one number per colour."""
    red, green, blue = np.moveaxis(pixels.astype(np.int64), -1, 0)
    return red << 16 | green << 8 | blue
