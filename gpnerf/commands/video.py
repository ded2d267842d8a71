"""Renders the video of a scene along a camera path; finished frames are kept on disk."""

from __future__ import annotations

import json
import logging
import math
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gpnerf.datasets.fingerprint import fingerprint
from gpnerf.datasets.frame_reader import FrameReader, KeptFrames
from gpnerf.datasets.places import claim
from gpnerf.datasets.policies import Candidates
from gpnerf.datasets.probes.placement import blind_warnings, is_blind
from gpnerf.datasets.run_scenes import describe_ranges, load_scenes
from gpnerf.datasets.views import check_candidates, test_sources
from gpnerf.execution.numerics import settle
from gpnerf.geometry.cameras import Camera
from gpnerf.geometry.trajectories import interpolate, orbit
from gpnerf.media.images import read_image, write_image
from gpnerf.media.video import write_video
from gpnerf.methods.registry import method_class
from gpnerf.rendering.panels import Look, video_panel
from gpnerf.rendering.photograph import check_renders
from gpnerf.rendering.view import Quality, RenderedView, SourceCache, render_view, workload_of
from gpnerf.system.devices import autocast, choose_device, keep_freed_memory
from gpnerf.system.distributed import Processes
from gpnerf.system.errors import ConfigError
from gpnerf.system.files import write_whole
from gpnerf.system.scripting import make_folder
from gpnerf.training.resume import check_scenes, checkpoint_to_use

log = logging.getLogger("render")


class VideoRenderer:
    """One scene, one camera path, and the folder of its frames."""

    def __init__(self, options: Namespace, processes: Processes) -> None:
        self.options, self.processes = options, processes
        name = options.render_scene or next(iter(options.test_scenes), None)
        if name is None:
            raise ConfigError("Expected a scene to render, found none; name it with --render_scene.")
        run = Path(options.out) / options.expname
        self.checkpoint = checkpoint_to_use(run, options.checkpoint, options.method)
        check_renders(method_class(options.method), f"--method {options.method}")
        with processes.first_alone():
            self.scene = load_scenes(options, [name])[0]
        check_scenes(self.checkpoint, options, [name])
        if processes.is_first:
            log.info(describe_ranges([self.scene])[0])
        check_candidates(len(self.scene.views), options.num_source_views, self.scene.name)
        self.device = choose_device(options.device, processes.local_rank)
        keep_freed_memory()
        self.model = self.checkpoint.build().to(self.device).eval()
        self.model.check_size(options.height, options.width)
        self.model.check_depth([self.scene])
        self.numerics = settle(
            self.model, options, workload_of(self.model, options, options.frames), processes
        )
        kept = KeptFrames(depth=self.model.needs_depth)
        self.reader = FrameReader(options.height, options.width, kept)
        self.sources = SourceCache(
            self.model, partial(self.reader.sources, self.scene), self.scene.near, self.scene.far
        )
        paths = {"interpolate": interpolate, "orbit": orbit}
        depth = math.sqrt(self.scene.near * self.scene.far)
        self.path = paths[options.path](self.scene.poses, options.frames, depth)
        self.folder = make_folder(run / "render" / f"{self.scene.name}_{options.path}")
        with processes.first_alone():
            if options.dataset != "rooms":
                claim(self.folder, self.scene.folder)

    def run(self) -> Path:
        """Renders the missing frames, a share in every process, and writes the video in the first one.

        Returns the path of the video.
        """
        with self.processes.first_alone():
            frames = self._finished_frames()
        if self.processes.is_first:
            self._warn()
        missing = [number for number in range(self.options.frames) if number not in frames]
        with self.processes.first_alone():
            look, first = self._look()
        share, quiet = self.processes.share(missing), not self.processes.is_first
        for number in tqdm(share, desc=f"rendering {self.scene.name}", unit="frame", disable=quiet):
            view = first if first is not None and number == 0 else self._render(number)
            panel = video_panel(view, look, self.checkpoint.class_names)
            write_image(self._frame_path(number), panel)
        self.processes.wait()
        # with_suffix would cut the name of a scene that holds dots.
        video = self.folder.with_name(f"{self.folder.name}.mp4")
        if self.processes.is_first:
            write_video(video, self._all_frames(), self.options.fps)
        return video

    def _look(self) -> tuple[Look, RenderedView | None]:
        """The colour scales of all frames, kept on disk, and the first frame if it was just rendered."""
        path, first = self.folder / "look.pt", None
        if not path.is_file():
            first = self._render(0)
            Look.fit(first).save(path)
        return Look.load(path), first

    def _warn(self) -> None:
        """Logs a warning if there are frames of which no source view shows anything."""
        blind = [f"frame {n}" for n in range(self.options.frames) if is_blind(self._chosen(n)[0])]
        remedy = "choose another --path, or add photographs of what it shows"
        for sentence in blind_warnings(self.scene.name, blind, self.options.frames, remedy):
            log.warning(f"Warning: {sentence}")

    def _chosen(self, number: int) -> tuple[Candidates, list[int]]:
        """The camera of a frame with those of its source views, and the numbers of these."""
        size, scene, options = (self.options.height, self.options.width), self.scene, self.options
        cameras = self.reader.cameras(scene)
        camera = Camera(cameras[0].intrinsics, self.path[number], *size)
        candidates = Candidates(camera, cameras, scene.near, scene.far)
        chosen = test_sources(candidates, options.num_source_views, options.view_metric, scene.name)
        return candidates[chosen], chosen.tolist()

    def _render(self, number: int) -> RenderedView:
        candidates, chosen = self._chosen(number)
        with autocast(self.device, self.numerics.precision):
            return render_view(
                self.model,
                self.sources.prepared(chosen),
                candidates.target.to(self.device),
                self.scene.near,
                self.scene.far,
                Quality.of(self.options),
            )

    def _frame_path(self, number: int) -> Path:
        return self.folder / f"{number:04d}.png"

    def _all_frames(self) -> Iterator[np.ndarray]:
        for number in range(self.options.frames):
            yield read_image(self._frame_path(number))

    def _finished_frames(self) -> set[int]:
        """The numbers of the frames that an equal rendering wrote; frames of any other are deleted."""
        made_by = {
            "step": self.checkpoint.step,
            "weights": self.checkpoint.fingerprint(),
            "settings": self.checkpoint.settings.decides_outputs(),
            "precision": self.numerics.precision,
            "photographs": fingerprint(self.scene, range(len(self.scene.views))),
            "path": self.path.flatten().tolist(),
            "size": [self.options.height, self.options.width],
            "stride": self.options.stride,
            "guide": self.options.guide,
            "source_views": [self.options.num_source_views, self.options.view_metric],
        }
        record = self.folder / "rendering.json"
        text = json.dumps(made_by)
        if record.is_file() and record.read_text() == text and (self.folder / "look.pt").is_file():
            return {n for n in range(self.options.frames) if self._frame_path(n).is_file()}
        for old in [*self.folder.glob("*.png"), *self.folder.glob("look.pt")]:
            old.unlink()
        write_whole(record, text)
        return set()
