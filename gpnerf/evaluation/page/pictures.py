"""Pictures inside the page: a description of each kind, and its bytes as a data URI."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gpnerf.rendering.panels import CAPTIONS

# Options of Pillow for WebP. In lossless mode, quality and method set the effort: these values take half the
# time of quality 85 and method 4 on depth maps of 320 x 240, for one percent more bytes.
LOSSLESS = {"lossless": True, "quality": 50, "method": 2}
LOSSY = {"quality": 85, "method": 4}
TURBO = "red is near, dark blue far, grey unknown"


@dataclass(frozen=True)
class Kind:
    """A kind of picture. exact: its colors encode values, so it is stored without loss."""

    description: str
    exact: bool = False


# By the keys of CAPTIONS.
KINDS = {
    "photograph": Kind("photograph"),
    "rendered": Kind("rendered colour"),
    "color_error": Kind("difference of photograph and rendering, from black for none to yellow"),
    "true_depth": Kind(f"measured depth; {TURBO}", exact=True),
    "rendered_depth": Kind(f"rendered depth; {TURBO}", exact=True),
    "labels": Kind("true labels", exact=True),
    "rendered_labels": Kind("rendered labels", exact=True),
    "instances": Kind("true objects", exact=True),
    "rendered_instances": Kind("rendered objects", exact=True),
    "features": Kind("rendered semantic features, three principal components as colours"),
}
LABELS = ("labels", "rendered_labels")
# Pictures to compare, truth first.
PAIRS = (
    ("photograph", "rendered"),
    ("labels", "rendered_labels"),
    ("instances", "rendered_instances"),
    ("true_depth", "rendered_depth"),
)


def caption(key: str) -> str:
    return CAPTIONS[key]


def kind(key: str) -> Kind:
    return KINDS[key]


def data_uri(pixels: np.ndarray, exact: bool) -> str:
    """A picture uint8 RGB [H, W, 3] as WebP in a data URI; exact: compressed without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", **(LOSSLESS if exact else LOSSY))
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def classes_shown(pixels: np.ndarray, class_colors: np.ndarray) -> list[int]:
    """The classes whose colors occur in a picture of labels [H, W, 3]."""
    return np.flatnonzero(np.isin(_color_codes(class_colors), _color_codes(pixels))).tolist()


def _color_codes(pixels: np.ndarray) -> np.ndarray:
    """uint8 RGB [..., 3] -> int64 [...], one number per colour."""
    red, green, blue = np.moveaxis(pixels.astype(np.int64), -1, 0)
    return red << 16 | green << 8 | blue
