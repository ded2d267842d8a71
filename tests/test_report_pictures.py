"""Pictures of the report page: as exact as promised, and small."""

from __future__ import annotations

import cv2
import numpy as np
from report_example import COLORS, NAMES, decoded, example

from gpnerf.datasets.labels import class_colors
from gpnerf.evaluation.page import ViewEntry
from gpnerf.evaluation.page.document import page
from gpnerf.evaluation.page.pictures import KINDS, LABELS, PAIRS, classes_shown, data_uri
from gpnerf.media.visualize import depth_map, depth_range, error_map, label_map
from gpnerf.rendering.panels import CAPTIONS, LOWER, UPPER
from gpnerf.rooms.layout import CLASS_NAMES, make_room
from gpnerf.rooms.shots import camera_at
from gpnerf.rooms.tracer import Tracer


def test_every_picture_has_one_key_that_can_name_its_file():
    assert KINDS.keys() == CAPTIONS.keys() == {*UPPER, *LOWER}
    assert all(key.isidentifier() for key in CAPTIONS)
    assert {*LABELS, *(key for pair in PAIRS for key in pair)} <= CAPTIONS.keys()


def test_exact_pictures_come_back_unchanged_and_photographs_nearly():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    # All levels of a depth map, and unknown depth: one colour more than a palette holds.
    depth = depth_map(np.append(1.0 / np.linspace(1.0, 0.2, 1199), 0.0).reshape(30, 40), 1.0, 5.0)
    assert len(np.unique(depth.reshape(-1, 3), axis=0)) == 257
    for pixels in (COLORS[noise[..., 0] % 4], depth, noise, noise[:1, :1], noise[:, :1], noise[:1]):
        assert np.array_equal(np.asarray(decoded(data_uri(pixels, exact=True))), pixels)
    smooth = cv2.resize(noise[:4, :5], (40, 30), interpolation=cv2.INTER_CUBIC)
    nearly = np.asarray(decoded(data_uri(smooth, exact=False))).astype(int)
    assert 0.0 < np.abs(nearly - smooth).mean() < 6.0


def test_the_classes_of_a_label_map_are_found_by_their_colours():
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0], pixels[1] = COLORS[3], COLORS[1]
    assert [NAMES[number] for number in classes_shown(pixels, COLORS)] == ["floor", "lamp"]
    assert classes_shown(pixels, np.zeros((0, 3), np.uint8)) == []


def test_a_hundred_views_of_a_room_stay_below_15_megabytes():
    height, width = 240, 320
    room = make_room(seed=8)
    seen = Tracer(room).draw(camera_at(room.loop.poses(1)[0], height, width))
    truth = seen.depth.astype(np.float32) / 1000.0
    photograph = seen.color.transpose(2, 0, 1) / np.float32(255)
    # As a rendering has them: blurred, depth with noise of a centimetre.
    rendered, depth = (cv2.GaussianBlur(values, (0, 0), 1.5) for values in (seen.color, truth))
    depth = depth + 0.01 * np.random.default_rng(0).normal(size=depth.shape).astype(np.float32)
    limits = depth_range(truth)
    labels = label_map(seen.semantic, class_colors(CLASS_NAMES))
    maps = {
        "photograph": seen.color,
        "rendered": rendered,
        "color_error": error_map(rendered.transpose(2, 0, 1) / np.float32(255), photograph),
        "true_depth": depth_map(truth, *limits),
        "rendered_depth": depth_map(depth, *limits),
        "labels": labels,
        "rendered_labels": labels,
        "features": labels // 2 + rendered // 2,
    }
    without = len(page(example(views=[])))
    view = len(page(example(views=[ViewEntry("a", "1", {"psnr": 20.0}, maps)]))) - without
    assert without + 100 * view < 15e6
