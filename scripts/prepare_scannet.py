"""Turns the official download of ScanNet scenes into the folders that --dataset scannet reads.

    python scripts/prepare_scannet.py DOWNLOAD data/scannet --every 5 --height 240 --width 320
    python scripts/prepare_scannet.py DOWNLOAD data/scannet --scenes configs/splits/scannet_test.txt

DOWNLOAD holds scans/<scene>/<scene>.sens and, for labels, <scene>_2d-label-filt.zip and
<scene>_2d-instance-filt.zip beside it. scannetv2-labels.combined.tsv may be in DOWNLOAD, one folder below or
one above. The result:

    data/scannet/<scene>/{color/N.jpg, depth/N.png, pose/N.txt, label-filt/N.png, instance-filt/N.png,
                          intrinsic/*.txt}

Depth is in millimetres, poses are camera-to-world; N is the frame's number in the recording. The same command
resumes an interrupted one: finished files are kept.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from gpnerf.config.parser import Parser
from gpnerf.config.types import names, positive
from gpnerf.datasets.published.scannet import LABEL_MAP
from gpnerf.preparation.scannet_download import export_scene
from gpnerf.preparation.scannet_survey import MAP_FILES, SceneJob, Survey, find_recordings, survey
from gpnerf.system.errors import ConfigError, DataError
from gpnerf.system.files import write_whole
from gpnerf.system.parallel import run_jobs
from gpnerf.system.scripting import EXIT_STOPPED, StopRequest, make_folder, run_script
from gpnerf.system.wording import some

log = logging.getLogger("prepare_scannet")

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
MOST_WORKERS = 8
LARGEST_SIDE = 8192
LISTED = 5
MEGABYTE = 1e6

# Sentences by the name of their scene.
SceneFaults = dict[str, list[str]]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    cores = min(os.cpu_count() or 1, MOST_WORKERS)
    add = parser.add_argument
    add("download", type=Path, metavar="DOWNLOAD", help="folder of the official download, or its scans/")
    add("out", type=Path, metavar="OUT", help="folder of the scenes to make, e.g. data/scannet")
    add("--scenes", type=names, help="a,b,c or a .txt file with a scene per line (default: all found)")
    add("--every", type=positive, default=1, metavar="N", help="keep every n-th frame (default: 1)")
    add("--height", type=positive, help="resize images and maps; with --width (default: as recorded)")
    add("--width", type=positive, help="see --height; intrinsics follow")
    add("--workers", type=positive, default=cores, help=f"scenes at a time (default: {cores})")
    options = parser.parse_args(arguments)
    if (options.height is None) != (options.width is None):
        raise ConfigError("Expected --height and --width together, found one of them; give both, or none.")
    if max(options.height or 0, options.width or 0) > LARGEST_SIDE:
        raise ConfigError(f"Expected --height and --width up to {LARGEST_SIDE}, found more; lower them.")
    return options


def find_jobs(options: argparse.Namespace) -> list[SceneJob]:
    """Returns the wanted scenes of the download, by name. Raises DataError if some are missing."""
    found = find_recordings(options.download)
    wanted = sorted(found) if options.scenes is None else list(dict.fromkeys(options.scenes))
    lacking = [name for name in wanted if name not in found]
    if lacking:
        raise DataError(
            f"{options.download}: expected a .sens file for every wanted scene, found none for "
            f"{some(lacking, LISTED)}; download them with the official script's --id, or correct --scenes."
        )
    size = (options.height, options.width) if options.height else None
    jobs = [SceneJob(found[name], options.out / name, options.every, size) for name in wanted]
    if any(job.folder.resolve() == job.sens.parent.resolve() for job in jobs):
        raise ConfigError(f"{options.out} is the folder of the download; choose another output folder.")
    return jobs


def copy_label_map(download: Path, out: Path) -> None:
    """Copies the label map from the download, one folder below or one above; warns if there is none."""
    if (out / LABEL_MAP).is_file():
        return
    places = [download, *sorted(download.glob("*/")), download.resolve().parent]
    found = next((place / LABEL_MAP for place in places if (place / LABEL_MAP).is_file()), None)
    if found:
        try:
            write_whole(out / LABEL_MAP, found.read_bytes())
        except OSError as error:
            raise ConfigError(
                f"{found} cannot be copied into {out} ({error.strerror}); correct that and run the same "
                "command again."
            ) from error
    else:
        log.warning(
            f"{download}: expected {LABEL_MAP}, which is needed to read labels, found none; get it with the "
            f"official download script's --label_map, and put it into {out}."
        )


def report_lacking_zips(jobs: Sequence[SceneJob]) -> None:
    for kind in MAP_FILES:
        names = [job.name for job in jobs if kind not in job.archives]
        if names:
            log.warning(
                f"No <scene>_2d-{kind}.zip beside the .sens file of {len(names)} scenes "
                f"({some(names, LISTED)}): they are written without {kind}; the official download script "
                f"gets it with --type _2d-{kind}.zip."
            )


def survey_all(jobs: Sequence[SceneJob]) -> tuple[dict[SceneJob, Survey], SceneFaults]:
    """Surveys the files to be written, by job; returns the faults of unreadable scenes too."""
    found: dict[SceneJob, Survey] = {}
    faults: SceneFaults = {}
    for job in tqdm(jobs, desc="Reading headers", unit="scene", leave=False):
        try:
            found[job] = survey(job)
        except (DataError, OSError) as error:
            faults[job.name] = [_sentence(job, error)]
            continue
        for kind, count in found[job].lacking.items():
            if count:
                log.warning(
                    f"{job.archive(kind)} lacks {count} of the kept frames: they are written without {kind}."
                )
    return found, faults


def check_space(out: Path, surveys: Sequence[Survey]) -> None:
    """Logs how much will be written. Raises ConfigError if the disk has less room."""
    needed = sum(found.needed_bytes for found in surveys) / MEGABYTE
    free = shutil.disk_usage(out).free / MEGABYTE
    frames = sum(len(found.frames) for found in surveys)
    scenes = sum(not found.complete for found in surveys)
    log.info(
        f"{frames} frames of {scenes} scenes to write: about {needed:,.0f} MB; {free:,.0f} MB free in {out}."
    )
    if needed > free:
        raise ConfigError(
            f"{out}: expected about {needed:,.0f} MB of free disk, found {free:,.0f} MB; make room, choose "
            "another disk, or write less with --scenes, --every, or --height and --width."
        )


def export_or_explain(job: SceneJob, tick: Callable[[], object], stopped: Callable[[], bool]) -> list[str]:
    """Exports a scene and returns the sentences of its faults.

    Raises OSError for a full disk alone, which is no fault of the scene.
    """
    try:
        return export_scene(job, tick, stopped)
    except (DataError, OSError) as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        return [_sentence(job, error)]


def export_all(jobs: Sequence[SceneJob], frames: int, workers: int, stop: StopRequest) -> SceneFaults:
    """Writes all scenes and returns their faults. Raises ConfigError if the disk is full."""
    try:
        with tqdm(total=frames, desc="Writing frames", unit="frame", disable=not jobs) as bar:
            results = run_jobs(export_or_explain, jobs, workers, stop, bar)
    except OSError as error:
        raise ConfigError(
            f"{jobs[0].folder.parent}: expected room on the disk, found none ({error.strerror}); make "
            "room and run the same command again: finished files are kept."
        ) from error
    return {job.name: faults for job, faults in zip(jobs, results, strict=True) if faults}


def _sentence(job: SceneJob, error: DataError | OSError) -> str:
    if isinstance(error, DataError):
        return str(error)
    place = error.filename or job.sens
    return (
        f"{place} cannot be read or written ({error.strerror}); correct that and run the same command again."
    )


def raise_faults(faults: SceneFaults, scenes: int) -> None:
    """Logs the faults of every scene. Raises DataError if there are any."""
    for name, sentences in faults.items():
        others = len(sentences) - 1
        log.error(sentences[0] + (f" The same holds for {others} more frames of {name}." if others else ""))
    if faults:
        raise DataError(
            f"{len(faults)} of {scenes} scenes are incomplete for the reasons above "
            f"({some(faults, LISTED)}); mend them and run the same command again: finished files are kept."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    jobs = find_jobs(options)
    make_folder(options.out)
    copy_label_map(options.download, options.out)
    report_lacking_zips(jobs)
    surveys, faults = survey_all(jobs)
    check_space(options.out, list(surveys.values()))
    unfinished = [job for job, found in surveys.items() if not found.complete]
    frames = sum(len(found.frames) for found in surveys.values())
    stop = StopRequest()
    faults |= export_all(unfinished, frames, options.workers, stop)
    if stop.wanted:
        log.info("Stopped; run the same command again to continue.")
        return EXIT_STOPPED
    raise_faults(faults, len(jobs))
    log.info(f"Complete scenes in {options.out}: {len(jobs)}.")
    return 0


if __name__ == "__main__":
    run_script(main)
