"""Pictures inside the page: what each kind shows, and its bytes as a data URI."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from gpnerf.evaluation.page.markup import Html, element
from gpnerf.evaluation.page.png import palette_png

# Of 100, for WebP.
QUALITY = 85
LARGEST_PALETTE = 256
LEVELS = np.arange(256, dtype=np.uint8)
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


def image(pixels: np.ndarray, alt: str, exact: bool) -> Html:
    """<img> of uint8 RGB [H, W, 3], its size known before it is decoded."""
    height, width = pixels.shape[:2]
    return element(
        "img",
        src=data_uri(pixels, exact),
        alt=alt,
        width=width,
        height=height,
        loading="lazy",
        decoding="async",
        class_="exact" if exact else None,
    )


def data_uri(pixels: np.ndarray, exact: bool) -> str:
    """uint8 RGB [H, W, 3] as PNG with a palette where exact, else as WebP."""
    if exact:
        return _uri("png", palette_png(*_with_palette(pixels)))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY, method=4)
    return _uri("webp", buffer.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _with_palette(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [H, W] and the colours that they stand for, uint8 [N, 3].

    Colours of the depth ramp lie in its order, which compresses well. A palette has 256: where a depth map
    uses all levels and the grey for unknown depth, the rarest takes the place of its nearest neighbour.
    """
    codes, places, counts = np.unique(color_codes(pixels), return_inverse=True, return_counts=True)
    ramp = color_codes(
        cv2.cvtColor(cv2.applyColorMap(LEVELS[None], cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)[0]
    )
    order = {code: level for level, code in enumerate(ramp.tolist())}
    rank = np.array([order.get(code, len(order)) for code in codes.tolist()])
    common = np.sort(np.argsort(-counts, kind="stable")[:LARGEST_PALETTE])
    kept = common[np.argsort(rank[common], kind="stable")]
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    distance = np.abs(colors[:, None] - colors[kept]).sum(-1)
    return distance.argmin(1).astype(np.uint8)[places.reshape(pixels.shape[:2])], colors[kept].astype(
        np.uint8
    )


def color_codes(pixels: np.ndarray) -> np.ndarray:
    """uint8 RGB [..., 3] -> int64 [...], one number per colour."""
    red, green, blue = np.moveaxis(pixels.astype(np.int64), -1, 0)
    return red << 16 | green << 8 | blue


def classes_shown(pixels: np.ndarray, class_colors: np.ndarray) -> list[int]:
    """The classes whose colours occur in a map of labels [H, W, 3]."""
    return np.flatnonzero(np.isin(color_codes(class_colors), color_codes(pixels))).tolist()
