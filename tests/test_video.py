"""Videos are read back: number of frames, size, colours; and what is left behind after a failure."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from gpnerf.media.video import read_video, write_video
from gpnerf.system.errors import DataError, GPNeRFError


def smooth_frames(count: int, height: int, width: int) -> list[np.ndarray]:
    """Soft gradients that drift over time."""
    rows, columns = np.mgrid[:height, :width]
    return [
        np.stack([rows + 10 * t, columns + 40, 200 - rows - 5 * t], axis=-1).clip(0, 255).astype(np.uint8)
        for t in range(count)
    ]


def read(path) -> np.ndarray:
    imageio = pytest.importorskip("imageio.v3")
    pytest.importorskip("imageio_ffmpeg")
    return imageio.imread(path, plugin="FFMPEG")


def test_odd_sizes_grow_by_a_repeated_row_and_column(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    frames = smooth_frames(7, 97, 131)
    write_video(tmp_path / "path.mp4", iter(frames), fps=12)
    decoded = read(tmp_path / "path.mp4").astype(int)
    assert decoded.shape == (7, 98, 132, 3)
    difference = np.abs(decoded[:, :97, :131] - np.stack(frames))
    assert difference.mean() < 2.0 and np.percentile(difference, 99.9) < 8
    assert np.abs(decoded[:, 97] - decoded[:, 96]).mean() < 2.0
    assert [file.name for file in tmp_path.iterdir()] == ["path.mp4"]


def test_even_sizes_stay(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    write_video(str(tmp_path / "path.mp4"), smooth_frames(3, 242, 322), fps=30)
    assert read(tmp_path / "path.mp4").shape == (3, 242, 322, 3)


def test_the_pixel_format_is_the_one_browsers_play(tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    write_video(tmp_path / "path.mp4", smooth_frames(5, 64, 80), fps=10)
    facts = next(imageio_ffmpeg.read_frames(str(tmp_path / "path.mp4")))
    assert facts["codec"] == "h264"
    assert facts["pix_fmt"].startswith("yuv420p")
    assert facts["fps"] == pytest.approx(10)


def test_a_failure_keeps_the_old_video_and_no_partial_one(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "path.mp4"
    path.write_bytes(b"old")
    changing = [*smooth_frames(2, 32, 32), *smooth_frames(1, 32, 34)]
    with pytest.raises(DataError, match="frame 2"):
        write_video(path, changing, fps=10)
    with pytest.raises(DataError, match="at least one frame"):
        write_video(path, [], fps=10)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_without_ffmpeg_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(GPNeRFError, match=r'pip install "imageio\[ffmpeg\]"'):
        write_video(tmp_path / "path.mp4", smooth_frames(1, 8, 8), fps=10)


def test_a_video_is_read_frame_by_frame(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    frames = smooth_frames(5, 48, 64)
    write_video(tmp_path / "path.mp4", frames, fps=10)
    decoded = list(read_video(tmp_path / "path.mp4"))
    assert len(decoded) == 5
    assert np.abs(np.stack(decoded).astype(int) - np.stack(frames)).mean() < 2.0


def test_a_file_that_is_no_video_is_refused(tmp_path):
    (tmp_path / "path.mp4").write_bytes(b"nothing")
    with pytest.raises(DataError, match="without a frame that can be decoded; save it as an mp4"):
        next(read_video(tmp_path / "path.mp4"))
