"""Pictures of the report page: as exact as promised, and small."""

from __future__ import annotations

import cv2
import numpy as np
from report_example import COLORS, NAMES, decoded, example

from gpnerf.evaluation.page import ViewEntry
from gpnerf.evaluation.page.page import page
from gpnerf.evaluation.page.pictures import classes_shown, data_uri


def turbo(levels):
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)


def test_exact_pictures_come_back_unchanged_and_photographs_nearly():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    levels = rng.integers(0, 255, (30, 40), dtype=np.uint8)
    # A ramp of 255 levels and one colour outside it: as many as a palette holds.
    depth = turbo(levels)
    depth[3:9, 4:6] = (56, 56, 56)
    for pixels in (COLORS[noise[..., 0] % 4], depth, noise[:1, :1], noise[:, :1], noise[:1]):
        kind, picture = decoded(data_uri(pixels, exact=True))
        assert kind == "png" and picture.mode == "P"
        assert np.array_equal(np.asarray(picture.convert("RGB")), pixels)
    smooth = cv2.resize(noise[:4, :5], (40, 30), interpolation=cv2.INTER_CUBIC)
    kind, picture = decoded(data_uri(smooth, exact=False))
    assert kind == "webp" and np.abs(np.asarray(picture).astype(int) - smooth).mean() < 6.0


def test_a_depth_map_with_more_colours_than_a_palette_gives_up_its_rarest():
    levels = np.arange(256, dtype=np.uint8)[None].repeat(3, axis=0)
    levels[1:, 100] = 99
    depth = turbo(np.pad(levels, ((0, 0), (0, 2))))
    depth[:, -2:] = (56, 56, 56)
    _, picture = decoded(data_uri(depth, exact=True))
    shown = np.asarray(picture.convert("RGB"))
    # Level 100 alone, of which there is one pixel, has become the level before or after it.
    assert np.argwhere((shown != depth).any(-1)).tolist() == [[0, 100]]
    assert shown[0, 100].tolist() in turbo(np.array([[99, 101]], np.uint8))[0].tolist()


def test_the_classes_of_a_label_map_are_found_by_their_colours():
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0], pixels[1] = COLORS[3], COLORS[1]
    assert [NAMES[number] for number in classes_shown(pixels, COLORS)] == ["floor", "lamp"]
    assert classes_shown(pixels, np.zeros((0, 3), np.uint8)) == []


def test_a_hundred_views_stay_below_15_megabytes():
    rng = np.random.default_rng(0)

    def noise(spread, sigma):
        """Smooth over `sigma` pixels, standard deviation `spread`."""
        field = cv2.GaussianBlur(rng.normal(0, 1, (240, 320)), (0, 0), sigma)
        return spread * field / field.std()

    def colored(values, name):
        levels = values.clip(0, 255).astype(np.uint8)
        return cv2.cvtColor(cv2.applyColorMap(levels, name), cv2.COLOR_BGR2RGB)

    # Like a room: surfaces of one colour with some texture, smooth depth, blurred renderings of both.
    surfaces = noise(1, 15) // 0.5
    photograph = np.stack([128 + 25 * surfaces + noise(5, 1) for _ in range(3)], axis=-1)
    rendered = cv2.GaussianBlur(photograph, (0, 0), 1.5)
    depth = 128 + noise(50, 30) + 8 * surfaces
    labels = COLORS[surfaces.astype(int) % 4]
    maps = {
        "photograph": photograph.clip(0, 255).astype(np.uint8),
        "rendered": rendered.clip(0, 255).astype(np.uint8),
        "colour error": colored(4 * np.abs(photograph - rendered).mean(-1), cv2.COLORMAP_INFERNO),
        "true depth": colored(depth, cv2.COLORMAP_TURBO),
        "rendered depth": colored(cv2.GaussianBlur(depth, (0, 0), 2) + noise(3, 2), cv2.COLORMAP_TURBO),
        "labels": labels,
        "rendered labels": labels,
        "features": COLORS[surfaces.astype(int) % 4] // 2 + (rendered // 2).clip(0, 127).astype(np.uint8),
    }
    without = len(page(example(views=[])))
    view = len(page(example(views=[ViewEntry("a", "1", {"psnr": 20.0}, maps)]))) - without
    assert without + 100 * view < 15e6
