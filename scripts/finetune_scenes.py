"""Finetunes one checkpoint on each of several scenes, evaluates every one, and writes one report over all.

    python scripts/finetune_scenes.py --config configs/rooms_finetune.txt --scenes 1000-1003
    python scripts/finetune_scenes.py --config configs/rooms_instance.txt --scenes 1000-1003 -- --steps 500

The run of a scene is OUT/NAME/SCENE, where NAME is the config's expname up to its last slash. The report over
all scenes is OUT/NAME/eval (eval_PROTOCOL for another --protocol than the paper's). The same command resumes,
and trains nothing twice. Several GPUs train one scene each at a time. Options after -- go to train.py and
eval.py.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import torch

from gpnerf.commands.options import parse_options
from gpnerf.config.parser import Parser
from gpnerf.config.types import REPOSITORY, names
from gpnerf.datasets.places import each_once, scene_name
from gpnerf.evaluation.protocols import results_folder
from gpnerf.evaluation.report import write_joint_report
from gpnerf.system.errors import ConfigError, Faults
from gpnerf.system.scripting import EXIT_USER_FAULT, run_script

log = logging.getLogger("finetune_scenes")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--config", required=True, help="config of the finetuning of one scene")
    add("--scenes", type=names, help="a,b,c or a file of names (default: the config's test_scenes)")
    return parser.parse_passing_on(arguments)


class SceneRuns:
    """Runs of all scenes: their folders, and the commands that train and evaluate them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.run = parse_options("", ["--config", options.config, *options.passed_on])
        self.name = self.run.expname.rpartition("/")[0] or self.run.expname
        self.root = Path(self.run.data_root)
        self.scenes = each_once(self.root, options.scenes or self.run.test_scenes)
        self.folder = Path(self.run.out) / self.name
        self.results = results_folder(self.run.protocol)
        if not self.scenes:
            raise ConfigError("Expected scenes to finetune on, found none; name them with --scenes.")
        self._check_places()
        # Free GPUs, each for one scene at a time; None stands for the device that the options choose.
        self.devices: Queue[str | None] = Queue()
        for device in range(torch.cuda.device_count()) if self.run.device == "auto" else ():
            self.devices.put(str(device))
        if self.devices.empty():
            self.devices.put(None)

    def place(self, scene: str) -> Path:
        return self.folder / scene_name(self.root, scene).replace("/", "_")

    def _check_places(self) -> None:
        taken: dict[Path, str] = {}
        for scene in self.scenes:
            other = taken.setdefault(self.place(scene), scene)
            if other != scene:
                raise ConfigError(
                    f"The runs of {other} and {scene} would both be {self.place(scene)}; rename one of them."
                )

    def finish(self, scene: str) -> None:
        """Trains and evaluates a scene, or resumes that. Raises ConfigError if one of the scripts fails.

        A finished scene takes seconds: the scripts see what is done, and whether other options want more.
        """
        device = self.devices.get()
        environment = os.environ if device is None else {**os.environ, "CUDA_VISIBLE_DEVICES": device}
        own = ["--config", self.options.config, *self.options.passed_on]
        own += ["--expname", f"{self.name}/{self.place(scene).name}", "--test_scenes", scene]
        try:
            for script, more in (("train.py", ["--train_scenes", scene]), ("eval.py", [])):
                command = [sys.executable, str(REPOSITORY / script), *own, *more]
                code = subprocess.call(command, env=environment)
                if code:
                    raise ConfigError(
                        f"{script} of {scene} ended with code {code}, see above; run `{shlex.join(command)}` "
                        "to see its output alone."
                    )
        finally:
            self.devices.put(device)

    def finish_all(self) -> Faults:
        """Finishes all scenes, as many at a time as there are GPUs; returns the faults, scene by scene."""
        faults = Faults()
        with ThreadPoolExecutor(self.devices.qsize()) as pool:
            for scene, done in [(scene, pool.submit(self.finish, scene)) for scene in self.scenes]:
                error = done.exception()
                if isinstance(error, ConfigError):
                    faults.add(str(error))
                elif error:
                    raise error
                else:
                    log.info(f"{scene} is finished: {self.place(scene)}.")
        return faults


def main(arguments: Sequence[str] | None = None) -> int:
    runs = SceneRuns(parse(arguments))
    faults = runs.finish_all()
    finished = [runs.place(scene) for scene in runs.scenes if (runs.place(scene) / runs.results).is_dir()]
    if finished:
        command = shlex.join(["python", *sys.argv])
        table = write_joint_report(runs.folder, finished, command, runs.results)
        sys.stdout.write(f"{table}\nThe report over all scenes is in {runs.folder / runs.results}.\n")
    for sentence in faults.sentences:
        log.error(sentence)
    return EXIT_USER_FAULT if faults.sentences else 0


if __name__ == "__main__":
    run_script(main)
