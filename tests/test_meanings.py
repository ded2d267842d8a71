"""Files that mean something else than their author thinks are told when a scene is read, and by the check."""

import logging

import numpy as np
import pytest
from helpers import load_folder
from image_files import RGBA, encoded, png
from PIL import Image

from gpnerf.media.images import orientation
from gpnerf.system.errors import DataError
from scripts.check_data import main

MASK = np.zeros((6, 8), np.uint8)
MASK[:2] = 255


def masked_scene(writer, mask=MASK, classes=("background", "thing"), **top):
    """A scene whose every label map is `mask`."""
    for frame in writer.top["frames"]:
        writer.save(frame["semantic_path"], mask)
    writer.top |= {"semantic_classes": list(classes), **top}
    return writer.write()


def warnings(folder, caplog):
    """What is said when a training reads the scene, the second time from the kept index."""
    texts = []
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            load_folder(folder)
        texts.append(caplog.text)
    assert texts[0].count("Warning:") == texts[1].count("Warning:")
    return texts[1]


def test_a_mask_of_0_and_255_is_told(scene_writer, caplog, tmp_path, capsys):
    folder = masked_scene(scene_writer(semantic=True))
    sentence = (
        "tiny: of the 2 classes of 'semantic_classes' only background is seen in the label maps, never "
        "thing, and 33.3% of the pixels read are unlabelled, as 'ignore_label' is 255; if 255 means a "
        "class, write 1 instead of 255 for thing, or set 'ignore_label' to the id that means no label."
    )
    assert sentence in warnings(folder, caplog)
    main([str(folder), "--out", str(tmp_path / "report")])
    assert sentence in capsys.readouterr().out


@pytest.mark.parametrize(
    "mask, classes, top, sentence",
    (
        (
            MASK // 255,
            ["background", "thing"],
            {"ignore_label": 0},
            "never background, and 66.7% of the",
        ),
        (
            MASK // 255,
            ["background", "thing"],
            {"ignore_label": 0},
            "set 'ignore_label' to an id that is no class.",
        ),
        (MASK * 0, ["background", "thing"], {}, "never thing; check that the maps hold the ids of that list"),
        (MASK | 255, ["thing"], {}, "none is seen in the label maps, never thing, and 100.0%"),
    ),
)
def test_classes_that_are_never_seen(scene_writer, caplog, mask, classes, top, sentence):
    assert sentence in warnings(masked_scene(scene_writer(semantic=True), mask, classes, **top), caplog)


@pytest.mark.parametrize("classes", (["background", "thing"], ["background", "thing", "other"]))
def test_two_classes_that_are_seen_are_enough(scene_writer, caplog, classes):
    assert not warnings(masked_scene(scene_writer(semantic=True), MASK // 255, classes), caplog)


def test_the_only_class_of_a_list_is_enough(scene_writer, caplog):
    assert not warnings(masked_scene(scene_writer(semantic=True), MASK, ["room"]), caplog)


def test_an_alpha_channel_is_told_once_for_a_scene(scene_writer, caplog, tmp_path, capsys):
    """Two of six rows are cut out; their colors do not come back."""
    writer = scene_writer()
    pixels = np.full((6, 8, 4), 255)
    pixels[..., :3] = 90
    pixels[:2, :, 3] = 0
    for frame in writer.top["frames"]:
        (writer.folder / frame["file_path"]).write_bytes(png(pixels, 8, RGBA))
    folder = writer.write()
    sentence = "tiny: the photographs have an alpha channel, and are laid on white (images/0.png: 33.3%"
    assert warnings(folder, caplog).count(sentence) == 1
    main([str(folder), "--out", str(tmp_path / "report")])
    assert capsys.readouterr().out.count(sentence) == 1
    image = load_folder(folder).read_image(1, 6, 8)
    assert (image[:, :2] == 1.0).all() and (image[:, 2:] == np.float32(90 / 255)).all()


def test_an_alpha_channel_without_transparency_is_not_told(scene_writer, caplog):
    writer = scene_writer()
    for frame in writer.top["frames"]:
        (writer.folder / frame["file_path"]).write_bytes(png(np.full((6, 8, 4), 255), 8, RGBA))
    assert not warnings(writer.write(), caplog)


def oriented(tag, pixels):
    """A photograph of a camera that was held otherwise."""
    exif = Image.Exif()
    exif[0x0112] = tag
    return encoded(pixels, "JPEG", exif=exif)


def oriented_scene(writer, tag, pixels):
    for number, frame in enumerate(writer.top["frames"]):
        frame["file_path"] = f"images/{number}.jpg"
        (writer.folder / frame["file_path"]).write_bytes(oriented(tag, pixels))
    return writer.write()


def test_pixels_are_used_as_stored_which_is_told(scene_writer, caplog, tmp_path, capsys):
    """Bright above, dark below; turned by 180 degrees it would be the other way round."""
    pixels = np.full((6, 8, 3), 30, np.uint8)
    pixels[:3] = 220
    folder = oriented_scene(scene_writer(), 3, pixels)
    sentence = "(images/0.jpg: 3, to be turned by 180 degrees); pixels are used as stored, and poses and intr"
    assert warnings(folder, caplog).count(sentence) == 1
    assert "write the pixels upright (mogrify -auto-orient)" in caplog.text
    main([str(folder), "--out", str(tmp_path / "report")])
    assert capsys.readouterr().out.count(sentence) == 1
    image = load_folder(folder).read_image(0, 6, 8)
    assert image[:, 0].mean() > 0.8 and image[:, 5].mean() < 0.2


def test_sides_that_the_orientation_swaps_are_told_with_its_remedy(scene_writer):
    """Upright they have the 8x6 pixels of the file, stored 6x8."""
    stored = np.full((8, 6, 3), 90, np.uint8)
    expected = (
        r"0.jpg: expected 8x6 .*found 6x8; its EXIF orientation 6 \(to be turned by 90 degrees clockwise"
    )
    with pytest.raises(DataError, match=rf"{expected}\) is not followed, so write the pixels upright"):
        load_folder(oriented_scene(scene_writer(), 6, stored))
    with pytest.raises(DataError, match="found 6x8; replace the file, or correct the camera's size"):
        load_folder(oriented_scene(scene_writer(name="other"), 3, stored))


@pytest.mark.parametrize("tag, found", ((1, 1), (8, 8), (0, 1), (77, 1)))
def test_an_orientation_that_means_nothing_is_upright(tmp_path, tag, found):
    (tmp_path / "0.jpg").write_bytes(oriented(tag, np.full((6, 8, 3), 90, np.uint8)))
    assert orientation(tmp_path / "0.jpg") == found
    for damaged in (b"no image", encoded(np.zeros((6, 8, 3), np.uint8), "JPEG", exif=b"Exif\0\0MM\0*\0\0")):
        (tmp_path / "0.jpg").write_bytes(damaged)
        assert orientation(tmp_path / "0.jpg") == 1


def test_intrinsics_of_a_larger_photograph_are_told(scene_writer, caplog, tmp_path, capsys):
    """The middle of 8x6 pixels is (3.5, 2.5); 20 % of the width are 1.6 pixels, of the height 1.2."""
    writer = scene_writer()
    writer.top |= {"cx": 5.5, "cy": 4.0}
    assert not warnings(writer.write(), caplog)
    writer.top["frames"][1] |= {"cx": 8.0, "cy": 6.0}
    sentence = (
        "tiny: the principal point (7.5, 5.5) is far from the middle of 8x6 pixels (images/1.png, 1 of 3 "
        "photographs); check that the intrinsics are in pixels of the photographs as stored"
    )
    assert warnings(writer.write(), caplog).count(sentence) == 1
    main([str(writer.folder), "--out", str(tmp_path / "report")])
    assert capsys.readouterr().out.count(sentence) == 1
