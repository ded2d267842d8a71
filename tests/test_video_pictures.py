"""What a video shows: modes that a model has, panels, and frames in the size asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpnerf.media.visualize import resized
from gpnerf.rendering.video_pictures import MODES, Look, chosen_modes, mode_picture, panel
from gpnerf.rendering.view import RenderedView
from gpnerf.system.errors import ConfigError

CLASSES = ("wall", "floor", "chair")
OBJECTS = ("object 3", "object 7")


def view(height: int = 25, width: int = 33) -> RenderedView:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(height * width).reshape(height, width) % 3
    half = (height + 1) // 2, (width + 1) // 2
    features = torch.randn(8, *half, generator=generator)
    return RenderedView(
        torch.rand(3, height, width, generator=generator), torch.full((height, width), 2.0), features, labels
    )


def test_a_model_shows_all_that_it_has():
    assert chosen_modes((), CLASSES) == ("color", "depth", "labels", "features")
    assert chosen_modes((), OBJECTS) == ("color", "depth", "instances", "features")
    assert chosen_modes((), ("slot 0", "slot 1")) == ("color", "depth", "instances", "features")
    assert chosen_modes((), ()) == ("color", "depth")
    assert chosen_modes(("features", "color"), CLASSES) == ("features", "color")


@pytest.mark.parametrize(
    "wanted, names, known",
    [
        (("labels",), (), "color,depth"),
        (("color", "instances"), CLASSES, "color,depth,labels,features"),
        (("labels",), OBJECTS, "color,depth,instances,features"),
    ],
)
def test_a_mode_that_a_model_lacks_ends_in_a_sentence(wanted, names, known):
    with pytest.raises(ConfigError, match=f"--modes: expected some of {known}, which .* found {wanted[-1]};"):
        chosen_modes(wanted, names)


def test_every_mode_has_a_picture_that_takes_any_size():
    one, look = view(), Look.fit(view())
    for mode in MODES:
        assert resized(mode_picture(mode, one, look, CLASSES), 51, 66).shape == (51, 66, 3)
    labels = mode_picture("labels", one, look, CLASSES)
    assert np.array_equal(labels, mode_picture("instances", one, look, CLASSES))
    assert len(np.unique(labels.reshape(-1, 3), axis=0)) == 3
    assert np.array_equal(resized(labels, 50, 66)[::2, ::2], labels)


def test_a_panel_holds_the_modes_asked_for_and_a_legend_only_for_labels():
    one, look = view(), Look.fit(view())
    pictures = {mode: mode_picture(mode, one, look, CLASSES) for mode in ("color", "depth", "labels")}
    single, both, all_three = (panel(dict(list(pictures.items())[:n]), CLASSES) for n in (1, 2, 3))
    assert single.shape[0] == both.shape[0] and single.shape[1] < both.shape[1] == all_three.shape[1]
    # A second row of pictures, and the legend below.
    assert all_three.shape[0] > 2 * both.shape[0]
