"""Masked pixels are no targets, in no score, and are not looked up in sources."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import load_folder, rays_of, tiny_example, tiny_model
from PIL import Image
from script_runs import run_here

from gpnerf.datasets.examples import TestExamples, TrainingExamples, TrainingScene
from gpnerf.datasets.frame_reader import Photograph
from gpnerf.datasets.pixels.masks import filled, shrunk
from gpnerf.datasets.probes.meanings import mask_warnings
from gpnerf.evaluation.scorer import Scorer
from gpnerf.geometry.projection import unmasked
from gpnerf.geometry.sampling import random_pixels
from gpnerf.metrics.image import psnr, ssim, ssim_scikit
from gpnerf.metrics.lpips import LPIPS
from gpnerf.rendering.view import Quality, render_example
from gpnerf.system.errors import DataError
from gpnerf.training.schedule import step_generator

MAGENTA = (255, 0, 255)


@pytest.fixture
def masked(scene_writer):
    """Three frames of 8x6 pixels; of the second, the right quarter is masked and magenta."""
    writer = scene_writer(depth=True, semantic=True)
    frame = writer.top["frames"][1]
    pixels = np.full((6, 8, 3), 80, np.uint8)
    pixels[:, 6:] = MAGENTA
    mask = np.full((6, 8), 255, np.uint8)
    mask[:, 6:] = 0
    writer.save(frame["file_path"], pixels)
    writer.save("masks/1.png", mask)
    frame["mask_path"] = "masks/1.png"
    return writer


def test_masked_pixels_take_the_nearest_color_that_counts():
    pixels = np.zeros((2, 5, 3), np.uint8)
    pixels[:, 0], pixels[:, 4], pixels[:, 1:4] = 10, 20, 99
    mask = np.array([[True, False, False, False, True]] * 2)
    assert filled(pixels, mask)[:, :, 0].tolist() == [[10, 10, filled(pixels, mask)[0, 2, 0], 20, 20]] * 2
    assert filled(pixels, mask)[0, 2, 0] in (10, 20)
    assert np.array_equal(filled(pixels, np.ones((2, 5), bool)), pixels)


def test_a_shrunk_pixel_counts_if_all_that_it_shows_counts():
    mask = np.ones((4, 6), bool)
    mask[0, 5] = False
    assert shrunk(mask, 2, 3).tolist() == [[True, True, False], [True, True, True]]
    assert shrunk(mask, 4, 6) is mask


def test_where_no_shrunk_pixel_shows_only_what_counts_those_that_show_most_do():
    rows = np.zeros((4, 6), bool)
    rows[::2] = True
    assert shrunk(rows, 2, 3).all()
    rows[0, :2] = False
    assert shrunk(rows, 2, 3).tolist() == [[False, True, True], [True, True, True]]


def test_a_masked_frame_has_no_color_depth_or_label_of_what_is_masked(masked):
    frame = load_folder(masked.write()).read(1, 6, 8)
    assert frame.mask.tolist() == [[True] * 6 + [False] * 2] * 6
    assert torch.allclose(frame.image, torch.tensor(80 / 255))
    assert (frame.depth[:, 6:] == 0).all() and (frame.depth[:, :6] > 0).all()
    assert (frame.semantic[:, 6:] == -1).all() and (frame.semantic[1:, :6] == 1).all()
    assert load_folder(masked.folder).read(0, 6, 8).mask is None


def test_a_mask_of_another_resolution_is_scaled(masked):
    mask = np.zeros((12, 16), np.uint8)
    mask[:, :12] = 1
    masked.save("masks/1.png", mask)
    assert load_folder(masked.write()).read_mask(1, 6, 8).sum() == 6 * 6


def test_a_mask_that_leaves_nothing_is_refused_and_named_by_check_data(masked, tmp_path):
    """Also that of a frame without maps, which is read for its photograph alone."""
    writer = masked
    writer.save("masks/1.png", np.zeros((6, 8), np.uint8))
    with pytest.raises(DataError, match=r"1\.png: expected a mask that leaves some pixels, found none"):
        load_folder(writer.write()).read(1, 6, 8)
    for key in ("depth_file_path", "semantic_path"):
        del writer.top["frames"][1][key]
    writer.top |= {"near": 0.5, "far": 5.0}
    run_here("scripts/check_data.py", writer.write(), "--out", tmp_path / "check", code=2)
    report = (tmp_path / "check" / "report.txt").read_text()
    assert "Faults: 1" in report and "1.png: expected a mask that leaves some pixels" in report


def test_a_mask_that_leaves_only_what_the_border_cuts_off_is_refused(masked):
    """Not taken for one that leaves everything."""
    mask = np.zeros((6, 8), np.uint8)
    mask[0] = 255
    masked.save("masks/1.png", mask)
    folder = masked.write()
    assert load_folder(folder).read_mask(1, 3, 4).sum() == 4
    with pytest.raises(
        DataError, match=r"1\.png: expected a mask that leaves some pixels, found none within"
    ):
        load_folder(folder, border=1).read_mask(1, 2, 3)


def test_a_mask_is_what_its_picture_shows(masked):
    """Black or transparent is left out, whatever the indices of a palette are."""
    used = np.array([[True] * 6 + [False] * 2] * 6)
    path = masked.write() / "masks" / "1.png"
    palette = Image.fromarray((~used).astype(np.uint8), "P")
    palette.putpalette([255, 255, 255, 0, 0, 0])
    cutout = np.full((6, 8, 4), 255, np.uint8)
    cutout[..., 3] = np.where(used, 255, 0)
    one_bit = Image.fromarray(used)
    for picture in (palette, Image.fromarray(cutout, "RGBA"), one_bit):
        picture.save(path)
        assert np.array_equal(load_folder(masked.folder).read_mask(1, 6, 8).numpy(), used)


def test_a_mask_stored_with_losses_is_refused_whatever_its_name(masked):
    path = masked.write() / "masks" / "1.png"
    Image.open(path).save(path, "JPEG")
    with pytest.raises(DataError, match=r"mask maps in a lossless format, found 1 as JPEG.*masks/1\.png"):
        load_folder(masked.folder)


def test_masks_that_leave_little_may_mean_the_opposite(masked):
    mask = np.zeros((6, 8), np.uint8)
    mask[:, 6:] = 255
    masked.save("masks/1.png", mask)
    for frame in masked.top["frames"]:
        frame["mask_path"] = "masks/1.png"
    (sentence,) = mask_warnings(load_folder(masked.write()))
    assert "the masks leave 25.0% of the pixels" in sentence and "invert the masks if" in sentence
    masked.save("masks/1.png", 255 - mask)
    assert mask_warnings(load_folder(masked.write())) == []


def test_a_mask_may_be_stored_in_color(masked):
    mask = np.zeros((6, 8, 3), np.uint8)
    mask[:, :6] = 255
    masked.save("masks/1.png", mask)
    assert load_folder(masked.write()).read_mask(1, 6, 8).tolist() == [[True] * 6 + [False] * 2] * 6


def test_examples_carry_the_masks_of_their_sources(masked):
    scene = load_folder(masked.write())
    examples = TrainingExamples([TrainingScene(scene, [0], [1, 2])], 6, 8, 2, "distance", 0, 1)
    masks = examples[0].sources.masks
    shares = dict(zip(examples[0].sources.names, masks.float().mean(dim=(1, 2)).tolist(), strict=True))
    assert shares == {"1": 0.75, "2": 1.0}
    unmasked_sources = TestExamples([(scene, 1, [0, 2])], 6, 8, 2, "distance")[0]
    assert unmasked_sources.sources.masks is None and unmasked_sources.target.mask is not None


def test_targets_are_drawn_among_the_pixels_that_count():
    mask = torch.zeros(6, 8, dtype=torch.bool)
    mask[2:4, 5:] = True
    pixels = random_pixels(6, 8, 100, torch.Generator().manual_seed(0), mask)
    assert sorted(pixels.tolist()) == [[column, row] for column in (5, 6, 7) for row in (2, 3)]
    everything = torch.ones(6, 8, dtype=torch.bool)
    drawn = [random_pixels(6, 8, 9, torch.Generator().manual_seed(1), one) for one in (None, everything)]
    assert torch.equal(*drawn)


def test_a_place_is_looked_up_if_all_its_neighbours_count():
    masks = torch.ones(1, 4, 5, dtype=torch.bool)
    masks[0, 1, 2] = False
    pixels = torch.tensor([[2.0, 1.0], [1.5, 1.0], [1.0, 1.0], [2.0, 2.0], [2.5, 1.5], [3.0, 3.0]])
    assert unmasked(masks, pixels[None, None]).tolist() == [[[False, False, True, True, False, True]]]


def test_losses_do_not_see_masked_pixels_of_the_target():
    model, example = tiny_model(dropout=0.0), tiny_example()
    mask = torch.ones(24, 32, dtype=torch.bool)
    mask[:, 16:] = False
    semantic = torch.where(mask, example.target.semantic, -1)
    target = replace(example.target, mask=mask, semantic=semantic)
    changed = replace(target, image=torch.where(mask, target.image, 0.123))

    def photometric(target):
        losses, _ = model.losses(replace(example, target=target), 64, step_generator(0, 0))
        return losses["photometric"]

    assert torch.equal(photometric(target), photometric(changed))
    assert not torch.equal(photometric(target), photometric(replace(changed, mask=None)))


def test_what_a_masked_source_shows_has_no_weight():
    model, example = tiny_model(layers=1, fine_samples=0).eval(), tiny_example()
    masks = torch.ones(3, 24, 32, dtype=torch.bool)
    rays = rays_of(example, torch.tensor([[10, 12], [20, 5]]))
    found = []
    model.transformer.field_layers[0].register_forward_hook(lambda *call: found.append(call[2][1]))

    def weight_of_the_third(masks):
        sources, _ = model.encode(replace(example.sources, masks=masks))
        model.render_rays(sources, example.sources.cameras, rays, semantics=True)
        # Where another view sees a point: one that none sees has equal weights.
        weights = found.pop()
        return weights[2][weights[:2].sum(dim=0) > 0.99].sum(), weights[2].sum()

    with torch.no_grad():
        assert weight_of_the_third(masks)[1] == weight_of_the_third(None)[1] > 0
        masks[2] = False
        assert weight_of_the_third(masks)[0] == 0
        assert weight_of_the_third(masks)[1] < weight_of_the_third(None)[1]


def test_a_rendered_view_depends_on_the_masks_of_its_sources():
    model, example = tiny_model().eval(), tiny_example()
    masks = torch.ones(3, 24, 32, dtype=torch.bool)
    masked = replace(example, sources=replace(example.sources, masks=masks))
    same = render_example(model, masked, "float32", Quality(200, guide=1))
    assert torch.equal(same.color, render_example(model, example, "float32", Quality(200, guide=1)).color)
    masks[:, :, :16] = False
    other = render_example(model, masked, "float32", Quality(200, guide=1))
    assert not torch.allclose(other.color, same.color)


def test_scores_leave_out_masked_pixels():
    truth = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(20, 24, dtype=torch.bool)
    mask[:, 18:] = False
    # Wrong by 0.1 where it counts, by 0.5 elsewhere: 20 dB.
    prediction = truth + torch.where(mask, 0.1, 0.5)
    assert psnr(prediction, truth, mask) == pytest.approx(20.0, abs=1e-3)
    spoiled = torch.where(mask, prediction, torch.rand(3, 20, 24))
    for score, reach in ((ssim, 5), (ssim_scikit, 3)):
        assert score(spoiled, truth, mask) == pytest.approx(score(prediction, truth, mask), abs=1e-6)
        assert score(spoiled, truth, torch.ones_like(mask)) == pytest.approx(score(spoiled, truth), abs=1e-6)
        # One masked pixel leaves out every window that holds it.
        speck = torch.ones_like(mask)
        speck[10, 12] = False
        touched = truth.clone()
        touched[:, 10, 12] = 1.0 - touched[:, 10, 12]
        assert score(touched, truth, speck) == pytest.approx(1.0, abs=1e-5)
        beside = speck.clone()
        beside[10, 12], beside[10, 12 + reach + 1] = True, False
        assert score(touched, truth, beside) < 0.999
        assert score(prediction, truth, torch.zeros_like(mask)) is None
    assert psnr(prediction, truth, torch.zeros_like(mask)) is None


def test_the_copied_source_is_scored_where_both_masks_count():
    example = tiny_example()
    truth = replace(example.target, mask=torch.ones(24, 32, dtype=torch.bool))
    truth.mask[:, 20:] = False
    source = torch.ones(24, 32, dtype=torch.bool)
    source[:, :8] = False
    view = render_example(tiny_model(classes=0).eval(), example, "float32", Quality(200, guide=1))
    # Off by 0.1 where both count, by 1 where the source is masked.
    copied = Photograph(truth.image + torch.where(source, 0.1, 1.0), source)
    scores = Scorer(0, None, None)(view, truth, copied).scores
    assert scores["psnr_nearest_view"] == pytest.approx(20.0, abs=1e-3)


def test_lpips_sees_the_truth_where_it_is_masked():
    seen = []
    network = torch.nn.Module()
    network.forward = lambda one, other, normalize: (seen.append(one), torch.zeros(1))[1]
    truth, prediction = torch.zeros(3, 4, 4), torch.ones(3, 4, 4)
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[0] = False
    LPIPS(network, "cpu")(prediction, truth, mask=mask)
    assert seen[0][0, 0].tolist() == [[0.0] * 4] + [[1.0] * 4] * 3
