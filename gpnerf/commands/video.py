"""Renders the videos of a scene along a camera path; finished frames are kept on disk."""

from __future__ import annotations

import logging
from argparse import Namespace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from gpnerf.commands.video_frames import VideoFrames
from gpnerf.commands.video_options import PANEL
from gpnerf.commands.video_path import path_name, video_path
from gpnerf.datasets.fingerprint import fingerprint
from gpnerf.datasets.frame_reader import FrameReader, KeptFrames
from gpnerf.datasets.options import PANOPTIC
from gpnerf.datasets.places import claim
from gpnerf.datasets.probes.placement import blind_warnings, is_blind
from gpnerf.datasets.run_scenes import describe_ranges, load_scenes
from gpnerf.datasets.views import check_candidates
from gpnerf.execution.numerics import settle
from gpnerf.media.visualize import resized
from gpnerf.methods.registry import method_class
from gpnerf.rendering.photograph import check_renders
from gpnerf.rendering.scene_views import SceneViews
from gpnerf.rendering.video_pictures import Look, chosen_modes, mode_picture, panel
from gpnerf.rendering.view import Quality, RenderedView, workload_of
from gpnerf.system.devices import choose_device, keep_freed_memory
from gpnerf.system.distributed import Processes
from gpnerf.system.errors import ConfigError
from gpnerf.system.scripting import make_folder
from gpnerf.training.resume import check_scenes, checkpoint_to_use

log = logging.getLogger("render")


class VideoRenderer:
    """One scene, one camera path, and the frames of its videos."""

    def __init__(self, options: Namespace, processes: Processes) -> None:
        self.options, self.processes = options, processes
        name = options.render_scene or next(iter(options.test_scenes), None)
        if name is None:
            raise ConfigError("Expected a scene to render, found none; name it with --render_scene.")
        others = [] if options.render_scene else options.test_scenes[1:]
        if others and processes.is_first:
            log.info(f"Rendering {name} alone; --render_scene renders another, such as {others[0]}.")
        run = Path(options.out) / options.expname
        self.checkpoint = checkpoint_to_use(run, options.checkpoint, options.method)
        check_renders(method_class(options.method), f"--method {options.method}")
        self.modes = chosen_modes(
            options.modes, self.checkpoint.class_names, self.checkpoint.options.get("target") == PANOPTIC
        )
        with processes.first_alone():
            self.scene = load_scenes(options, [name])[0]
        check_scenes(self.checkpoint, options, [name])
        if processes.is_first:
            log.info(describe_ranges([self.scene])[0])
        check_candidates(len(self.scene.views), options.num_source_views, self.scene.name)
        self.path = video_path(options, self.scene)
        self._load_model()
        reader = FrameReader(options.height, options.width, KeptFrames(depth=self.model.needs_depth))
        choice = options.num_source_views, options.view_metric
        self.views = SceneViews(self.model, self.scene, reader, *choice)
        folder = make_folder(run / "render" / f"{self.scene.name}_{path_name(options)}")
        films = ("",) if options.layout == PANEL else self.modes
        self.frames = VideoFrames(folder, films, len(self.path))
        with processes.first_alone():
            if options.dataset != "rooms":
                claim(folder, self.scene.folder)

    def _load_model(self) -> None:
        options, cameras = self.options, self.path.cameras
        device = choose_device(options.device, self.processes.local_rank)
        keep_freed_memory()
        self.model = self.checkpoint.build().to(device).eval()
        self.model.check_size(options.height, options.width)
        least = self.model.smallest_image
        if min(cameras.height, cameras.width) < least:
            raise ConfigError(
                f"Expected a video of at least {least}x{least} pixels, which the network needs, found "
                f"{cameras.height}x{cameras.width}; choose a larger --video_size."
            )
        self.model.check_depth([self.scene])
        work = workload_of(self.model, options, len(self.path), (cameras.height, cameras.width))
        self.numerics = settle(self.model, options, work, self.processes)

    def run(self) -> dict[Path, Path]:
        """Renders the missing frames, a share in every process, and writes the videos in the first one.

        Returns the videos and the folders of their frames, nothing in other processes.
        """
        with self.processes.first_alone():
            finished = self.frames.finished(self._made_by())
        if self.processes.is_first:
            self._warn()
        missing = [number for number in range(len(self.path)) if number not in finished]
        with self.processes.first_alone():
            look, first = self._look()
        share, quiet = self.processes.share(missing), not self.processes.is_first
        for number in tqdm(share, desc=f"rendering {self.scene.name}", unit="frame", disable=quiet):
            view = first if first is not None and number == 0 else self._render(number)
            self.frames.write(number, self._pictures(view, look))
        self.processes.wait()
        return self.frames.write_videos(self.path.fps) if self.processes.is_first else {}

    def _look(self) -> tuple[Look, RenderedView | None]:
        """The colour scales of all frames, kept on disk, and the first frame if it was just rendered."""
        path, first = self.frames.look, None
        if not path.is_file():
            first = self._render(0)
            Look.fit(first).save(path)
        return Look.load(path), first

    def _pictures(self, view: RenderedView, look: Look) -> dict[str, np.ndarray]:
        """A frame of every video, by the names of the films."""
        names, cameras = self.checkpoint.class_names, self.path.cameras
        pictures = {mode: mode_picture(mode, view, look, names) for mode in self.modes}
        if self.options.layout == PANEL:
            return {"": panel(pictures, names)}
        return {mode: resized(one, cameras.height, cameras.width) for mode, one in pictures.items()}

    def _warn(self) -> None:
        """Logs a warning if there are frames of which no source view shows anything."""
        blind = [
            f"frame {number}"
            for number, sources in enumerate(self.chosen)
            if is_blind(self.views.candidates(self.path.cameras[number])[torch.tensor(sources)])
        ]
        remedy = "choose another --path, add photographs of what it shows, or give --path_transform if it is "
        remedy += "from nerfstudio's viewer"
        for sentence in blind_warnings(self.scene.name, blind, len(self.path), remedy):
            log.warning(f"Warning: {sentence}")

    @cached_property
    def chosen(self) -> list[tuple[int, ...]]:
        """The numbers of the source views of every frame."""
        return self.views.along(self.path)

    def _render(self, number: int) -> RenderedView:
        """Renders a frame from its source views; where they change, also from those before or after it."""
        weights, quality = self.views.weights(self.path, self.chosen, number), Quality.of(self.options)
        return self.views.render(self.path.cameras[number], weights, self.numerics.precision, quality)

    def _made_by(self) -> dict[str, Any]:
        """All that decides the frames."""
        options, cameras = self.options, self.path.cameras
        return {
            "step": self.checkpoint.step,
            "weights": self.checkpoint.fingerprint(),
            "settings": self.checkpoint.settings.decides_outputs(),
            "precision": self.numerics.precision,
            "photographs": fingerprint(self.scene, range(len(self.scene.views))),
            "poses": cameras.camera_to_world.flatten().tolist(),
            "intrinsics": cameras.intrinsics.flatten().tolist(),
            "sizes": [options.height, options.width, cameras.height, cameras.width],
            "modes": [options.layout, *self.modes],
            "fps": self.path.fps,
            "stride": options.stride,
            "guide": options.guide,
            "source_views": [options.num_source_views, options.view_metric],
        }
