"""LPIPS by hand, on a known pair, and in eval.py."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from copying_backbone import content_of_package
from safetensors.torch import save_file
from script_runs import EXPNAME, run_here
from torch import Tensor

from gpnerf.metrics.lpips import LPIPS, backbone_file, build_network, load_lpips
from gpnerf.preparation import vgg16
from scripts import fetch_lpips

# Of the user, before tests get a cache of their own.
FETCHED = backbone_file()
LINEAR = Path("weights", "v0.1", "vgg.pth")


@pytest.fixture(scope="module")
def copying() -> vgg16.Convolutions:
    return vgg16.from_arrays(content_of_package())


def test_copying_convolutions_give_the_distance_by_hand(copying):
    # Every level holds the normalised colours; its distance is their weighted squared difference.
    import lpips

    first, second = (torch.tensor(color) for color in ((0.9, 0.8, 0.7), (0.6, 0.9, 0.95)))
    linear = torch.load(Path(lpips.__file__).parent / LINEAR, map_location="cpu", weights_only=True)
    weights = sum(weight.flatten()[:3] for weight in linear.values())
    metric = LPIPS(build_network(copying), "cpu")
    for as_published in (False, True):
        units = []
        for color in (first, second):
            scaled = color if as_published else 2 * color - 1
            positive = (scaled - torch.tensor([-0.030, -0.088, -0.188])) / torch.tensor([0.458, 0.448, 0.450])
            units.append(positive / positive.norm())
        expected = (weights * (units[0] - units[1]).square()).sum().item()
        found = metric(*(color[:, None, None].expand(3, 32, 48) for color in (first, second)), as_published)
        assert found == pytest.approx(expected, rel=1e-5) and found > 0.001


def test_without_weights_lpips_is_left_out_with_one_sentence(tmp_path, monkeypatch, caplog, copying):
    monkeypatch.setenv("GPNERF_CACHE", str(tmp_path))

    def sentence() -> str:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert load_lpips("cpu") is None
        (record,) = caplog.records
        message = record.getMessage()
        assert message.startswith("LPIPS is left out: ")
        assert "python scripts/fetch_lpips.py" in message and str(tmp_path) in message
        return message

    assert "do not exist" in sentence()
    backbone_file().parent.mkdir()
    save_file({"0.weight": torch.zeros(64, 3, 3, 3)}, backbone_file())
    assert "found a damaged or another file" in sentence()
    save_file(copying, backbone_file())
    backbone_file().write_bytes(backbone_file().read_bytes()[:-1])
    assert "found a damaged or another file" in sentence()


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
def test_the_network_gets_its_proper_range():
    lpips = pytest.importorskip("lpips")
    torch.manual_seed(0)
    metric = LPIPS(lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False), "cpu")
    truth = torch.rand(3, 32, 32)
    prediction = (truth + 0.1 * torch.randn(3, 32, 32)).clamp(0, 1)
    with torch.no_grad():
        proper = metric.network(2 * prediction[None] - 1, 2 * truth[None] - 1).item()
        released = metric.network(prediction[None], truth[None]).item()
    assert metric(prediction, truth) == pytest.approx(proper)
    assert metric(prediction, truth, as_published=True) == pytest.approx(released)
    assert metric(truth, truth) == 0.0


def test_eval_fills_the_column(rooms_config, rooms_run, tmp_path, monkeypatch, copying):
    monkeypatch.setenv("GPNERF_CACHE", str(tmp_path / "cache"))
    backbone_file().parent.mkdir(parents=True)
    save_file(copying, backbone_file())
    shutil.copytree(rooms_run, tmp_path / EXPNAME, ignore=shutil.ignore_patterns("eval*", "render"))
    said = run_here("eval.py", "--config", rooms_config, "--out", tmp_path, "--lpips", "yes")
    scores = json.loads((tmp_path / EXPNAME / "eval" / "metrics.json").read_text())["overall"]
    assert "| LPIPS | LPIPS (inputs 0..1) |" in said
    assert scores["lpips"] > 0 and scores["lpips_as_published"] > 0


needs_weights = pytest.mark.skipif(
    not FETCHED.is_file(), reason="the weights of LPIPS are not fetched (scripts/fetch_lpips.py)"
)


@pytest.fixture
def fetched(monkeypatch) -> LPIPS:
    monkeypatch.setenv("GPNERF_CACHE", str(FETCHED.parent.parent))
    return load_lpips("cpu")


def blurred(image: Tensor, width: int) -> Tensor:
    """The mean of width x width pixels."""
    padded = F.pad(image[None], [width // 2] * 4, mode="reflect")
    return F.avg_pool2d(padded, width, stride=1)[0]


@needs_weights
def test_a_known_pair_has_its_score(fetched):
    fetch_lpips.check(fetched)
    first, second = fetch_lpips.known_pair()
    # Computed in float64 from the package's arrays and the formula of the paper, by NumPy alone.
    assert fetched(first, second) == pytest.approx(0.3084612, abs=1e-5)
    # Blue, green and red are another input.
    assert abs(fetched(first.flip(0), second.flip(0)) - 0.3084612) > 1e-3


@needs_weights
def test_lpips_grows_with_blur_noise_and_shift(fetched):
    image = fetch_lpips.known_pair()[1]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    changes = [
        [blurred(image, width) for width in (1, 3, 7)],
        [image + share * noise for share in (0.0, 0.02, 0.1)],
        [image.roll(pixels, -1) for pixels in (0, 1, 2)],
    ]
    for changed in changes:
        none, little, much = (fetched(one, image) for one in changed)
        assert none == pytest.approx(0.0, abs=1e-6) and 0.001 < little < much < 1.0
    # A brighter image is closer than a blurred one, though its pixels differ more.
    brighter = 1.15 * image
    assert (brighter - image).square().mean() > (changes[0][2] - image).square().mean()
    assert fetched(brighter, image) < fetched(changes[0][2], image)
