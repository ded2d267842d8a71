"""The shell scripts in a copied checkout, with a stub in place of python: nothing is really installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
SCRIPTS = [*sorted((REPOSITORY / "scripts").glob("*.sh")), REPOSITORY / ".ci" / "run"]

# Writes down its arguments; "makes" an environment by copying itself; fails where its arguments match $FAIL,
# and finds no tests where they match $EMPTY.
STUB_PYTHON = """#!/usr/bin/env bash
{ : 3<&0; } 2>/dev/null || echo "stdin is closed" >>"$CALLS"
echo "$*" >>"$CALLS"
if [[ -n "${FAIL:-}" && "$*" == $FAIL* ]]; then exit 1; fi
if [[ -n "${EMPTY:-}" && "$*" == $EMPTY* ]]; then exit 5; fi
case "$*" in
    "-c import sys"*) echo "$VERSION" ;;
    "-m pip"*) echo "pip in $PWD" >>"$CALLS" ;;
    "-m venv"*) mkdir -p "${!#}/bin" && cp "$0" "${!#}/bin/python" ;;
    "train.py"*) echo "train in $PWD with data ${GPNERF_REAL_DATA:-none}" >>"$CALLS"
        run="$*" run="${run#* --expname }" && mkdir -p "out/${run%%/finetuned*}" ;;
    "-m pytest"*) echo "pytest in $PWD with data ${GPNERF_REAL_DATA:-none}" >>"$CALLS"
        echo "threads ${OMP_NUM_THREADS:-all}" >>"$CALLS" ;;
esac
"""
STUB_DF = """#!/usr/bin/env bash
echo "Filesystem 1024-blocks Used Available Capacity Mounted on"
echo "/dev/disk 99999999 1 $((FREE_GB * 1024 * 1024)) 50% /"
"""


class Checkout:
    """A copy of the scripts under a path with a space, and commands that stand in for python and df."""

    def __init__(self, folder: Path, seconds: int = 60) -> None:
        self.outside, self.seconds = folder, seconds
        self.root = folder / "a b" / "checkout"
        self.commands = folder / "commands"
        self.calls_file = folder / "calls"
        self.commands.mkdir()
        for name in ("scripts", ".ci"):
            shutil.copytree(REPOSITORY / name, self.root / name)
        for name in ("pyproject.toml", *(f"requirements{kind}.txt" for kind in ("", "-dev", "-poses"))):
            (self.root / name).write_text("something\n")
        self.weights = self.root / "weights" / "rooms"
        self.weights.mkdir(parents=True)
        (self.weights / "config.json").write_text("{}")
        self.command("python3", STUB_PYTHON)
        self.command("df", STUB_DF)

    def command(self, name: str, text: str) -> Path:
        path = self.commands / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs it from another folder with a closed stdin; `calls` then holds this run's calls only."""
        self.calls_file.write_text("")
        path = f"{self.commands}{os.pathsep}{os.environ['PATH']}"
        defaults = {"PATH": path, "CALLS": str(self.calls_file), "VERSION": "3.11", "FREE_GB": "50"}
        return subprocess.run(
            ["bash", "-c", 'exec bash "$@" <&-', "bash", str(self.root / script), *arguments],
            cwd=self.outside,
            env=defaults | variables,
            capture_output=True,
            text=True,
            timeout=self.seconds,
        )

    def calls(self, start: str | tuple[str, ...]) -> list[str]:
        return [line for line in self.calls_file.read_text().splitlines() if line.startswith(start)]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_parses(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


SCRIPTS_OF_STAGES = ("train.py", "eval.py", "render.py", "/")
COMPARED = "shipped finetuned --scores psnr,ssim,depth_abs_rel,miou"


def test_quickstart_runs_all_stages_and_installs_once(checkout: Checkout) -> None:
    run, room = "quickstart/rooms", "--config configs/rooms_quickstart.txt"
    for install_calls in (1, 0):
        result = checkout.run("scripts/quickstart.sh", "--steps", "3")
        assert result.returncode == 0, result.stderr
        assert checkout.calls(SCRIPTS_OF_STAGES) == [
            f"eval.py --config configs/rooms.txt --expname {run}/shipped --steps 3 --checkpoint rooms",
            f"train.py {room} --expname {run}/finetuned --steps 3",
            f"eval.py {room} --expname {run}/finetuned --steps 3",
            f"render.py {room} --expname {run}/finetuned --steps 3",
            f"{checkout.root.resolve()}/scripts/compare_runs.py {COMPARED} --scenes room_1000",
        ]
        assert checkout.calls("train in") == [f"train in {checkout.root.resolve()} with data none"]
        assert len(checkout.calls("-m venv")) == install_calls
        assert len(checkout.calls("-m pip install")) == install_calls
        assert checkout.calls("stdin is closed") == []
        assert f"out/{run}/finetuned/eval/report.html" in result.stdout


def test_quickstart_from_scratch_trains_on_the_rooms(checkout: Checkout) -> None:
    """Without the shipped model too."""
    shutil.rmtree(checkout.weights)
    result = checkout.run("scripts/quickstart.sh", "--steps", "3", "--from-scratch")
    assert result.returncode == 0, result.stderr
    given = "--config configs/rooms.txt --steps 3"
    assert checkout.calls(SCRIPTS_OF_STAGES) == [
        f"{name} {given}" for name in ("train.py", "eval.py", "render.py")
    ]
    assert "out/rooms/eval/report.html" in result.stdout


@pytest.mark.parametrize("file", ["transforms.json", "transforms_train.json"])
def test_quickstart_takes_a_scene_of_one_s_own(checkout: Checkout, file: str) -> None:
    """Its path is relative to where the user is, and may hold a space."""
    scene = checkout.outside / "my photographs" / "[office] 1"
    scene.mkdir(parents=True)
    (scene / file).write_text("{}")
    result = checkout.run("scripts/quickstart.sh", "my photographs/[office] 1", "--depth_range", "1,5")
    assert result.returncode == 0, result.stderr
    run = "quickstart/scenes/[office] 1"
    given = f"--config configs/transforms_quickstart.txt --data_root {scene}"
    finetuned = f"{given} --expname {run}/finetuned --depth_range 1,5"
    assert checkout.calls(SCRIPTS_OF_STAGES) == [
        f"eval.py {given} --expname {run}/shipped --depth_range 1,5 --checkpoint rooms",
        *(f"{name} {finetuned}" for name in ("train.py", "eval.py", "render.py")),
        f"{checkout.root.resolve()}/scripts/compare_runs.py {COMPARED}",
    ]
    assert f"out/{run}/finetuned/render/[office] 1_interpolate.mp4" in result.stdout


@pytest.mark.parametrize("source", ["my photographs", "my film.v2.mp4"])
def test_quickstart_finds_the_poses_of_photographs_and_videos(checkout: Checkout, source: str) -> None:
    """It installs what only this needs."""
    path = checkout.outside / source
    if path.suffix:
        path.write_text("")
    else:
        path.mkdir()
        (path / "IMG_1.JPG").write_text("")
    result = checkout.run("scripts/quickstart.sh", source, "--steps", "3")
    assert result.returncode == 0, result.stderr
    name = source.removesuffix(".mp4")
    scene = checkout.root.resolve() / "out" / "quickstart" / "poses" / name
    assert checkout.calls("scripts/find_poses.py") == [f"scripts/find_poses.py {path} {scene}"]
    installed = [call.rsplit(" ", 1)[1] for call in checkout.calls("-m pip install")]
    assert installed == ["requirements.txt", "requirements-poses.txt"]
    given = f"--config configs/transforms_quickstart.txt --data_root {scene}"
    finetuned = f"{given} --expname quickstart/scenes/{name}/finetuned --steps 3"
    assert checkout.calls(("train.py", "render.py")) == [f"train.py {finetuned}", f"render.py {finetuned}"]
    assert f"out/quickstart/scenes/{name}/finetuned/render/{name}_interpolate.mp4" in result.stdout


def test_quickstart_stops_where_no_poses_are_found(checkout: Checkout) -> None:
    photographs = checkout.outside / "photographs"
    photographs.mkdir()
    (photographs / "a.png").write_text("")
    assert checkout.run("scripts/quickstart.sh", "photographs", FAIL="scripts/find_poses.py").returncode == 1
    assert checkout.calls(SCRIPTS_OF_STAGES) == []


def test_quickstart_refuses_before_it_installs(checkout: Checkout) -> None:
    photographs = checkout.outside / "photographs"
    (photographs / "images").mkdir(parents=True)
    run = partial(checkout.run, "scripts/quickstart.sh")
    assert_refused(run("photographs"), f"{photographs}: expected photographs (.jpg, .jpeg, .png), found none")
    (photographs / "transforms.json").write_text("{}")
    assert_refused(
        run("."), f"{checkout.outside}: expected the folder of one scene, found a folder of scenes"
    )
    assert_refused(run("nowhere"), "nowhere: expected the folder of a scene or of photographs, or a video")
    assert_refused(run("photographs", "--from-scratch"), "found both")
    assert_refused(run("--out", "elsewhere"), "--out is not an option of the quickstart")
    shutil.rmtree(checkout.weights)
    assert_refused(run(), "weights/rooms: expected the shipped model", "--from-scratch")
    assert checkout.calls_file.read_text() == ""


def test_quickstart_explains_itself(checkout: Checkout) -> None:
    result = checkout.run("scripts/quickstart.sh", "--help")
    assert result.returncode == 0
    assert all(word in result.stdout for word in ("SCENE_FOLDER", "PHOTOS", "--from-scratch"))
    assert checkout.calls_file.read_text() == ""


def test_quickstart_stops_at_the_stage_that_fails(checkout: Checkout) -> None:
    assert checkout.run("scripts/quickstart.sh", FAIL="train.py").returncode == 1
    assert [call.split()[0] for call in checkout.calls(SCRIPTS_OF_STAGES)] == ["eval.py", "train.py"]


@pytest.mark.parametrize(
    ("changed", "installed"),
    [
        ("requirements.txt", ["requirements.txt"]),
        ("pyproject.toml", ["requirements.txt", "requirements-dev.txt"]),
    ],
)
def test_what_changed_is_installed_again(checkout: Checkout, changed: str, installed: list[str]) -> None:
    checkout.run("scripts/test.sh")
    (checkout.root / changed).write_text("something else\n")
    assert checkout.run("scripts/test.sh").returncode == 0
    assert [call.rsplit(" ", 1)[1] for call in checkout.calls("-m pip install")] == installed


def test_moved_checkout_is_installed_again_from_where_it_lies(checkout: Checkout) -> None:
    checkout.run("scripts/quickstart.sh")
    assert checkout.calls("pip in") == [f"pip in {checkout.root.resolve()}"]
    checkout.root = checkout.root.rename(checkout.outside / "moved")
    assert checkout.run("scripts/quickstart.sh").returncode == 0
    assert checkout.calls("pip in") == [f"pip in {checkout.root.resolve()}"]
    assert checkout.calls("-m venv") == []


def test_broken_environment_is_made_again(checkout: Checkout) -> None:
    checkout.run("scripts/test.sh")
    (checkout.root / ".venv" / "bin" / "python").unlink()
    assert checkout.run("scripts/test.sh").returncode == 0
    assert len(checkout.calls("-m venv --clear")) == 1


def test_both_halves_of_the_tests_run_in_the_repository_with_the_arguments(checkout: Checkout) -> None:
    """The first with a process for each core, the second alone and with all threads."""
    assert checkout.run("scripts/test.sh", "-k", "name").returncode == 0
    first, second = checkout.calls("-m pytest")
    assert " -n logical " in first and first.endswith("-m not serial and not slow -k name")
    assert " -n " not in second and second.endswith("-m serial and not slow -k name")
    assert checkout.calls("threads") == ["threads 1", "threads all"]
    assert checkout.calls("pytest in") == [f"pytest in {checkout.root.resolve()} with data none"] * 2


def test_all_tests_are_the_slow_ones_too(checkout: Checkout) -> None:
    checkout.run("scripts/test.sh", "--all", "-x")
    assert [call.rpartition(" -m ")[2].split() for call in checkout.calls("-m pytest")] == [
        ["not", "serial", "-x"],
        ["serial", "-x"],
    ]
    assert all("--hypothesis-profile=many" in call for call in checkout.calls("-m pytest"))


@pytest.mark.parametrize(
    ("stub", "code", "calls"),
    [
        ({"EMPTY": "-m pytest*-m not serial"}, 0, 2),
        ({"EMPTY": "-m pytest*-m serial"}, 0, 2),
        ({"EMPTY": "-m pytest"}, 1, 2),
        ({"FAIL": "-m pytest*-m not serial"}, 1, 1),
        ({"FAIL": "-m pytest*-m serial"}, 1, 2),
        ({"EMPTY": "-m pytest*-m not serial", "FAIL": "-m pytest*-m serial"}, 1, 2),
        ({"FAIL": "-m ruff"}, 1, 0),
        ({"FAIL": "-c from importlinter"}, 1, 0),
    ],
)
def test_half_of_the_tests_may_be_empty_but_none_may_fail(
    checkout: Checkout, stub: dict[str, str], code: int, calls: int
) -> None:
    assert checkout.run("scripts/test.sh", **stub).returncode == code
    assert len(checkout.calls("-m pytest")) == calls


def test_continuous_integration_finds_data_beside_the_checkout(checkout: Checkout) -> None:
    data = checkout.root.parent / "shared" / "data"
    data.mkdir(parents=True)
    result = checkout.run(".ci/run")
    assert result.returncode == 0, result.stderr
    assert checkout.calls("-m ruff") == ["-m ruff check .", "-m ruff format --check ."]
    assert len(checkout.calls("-c from importlinter")) == 1
    assert not [call for call in checkout.calls("-m pytest") if "slow" in call]
    for call in checkout.calls("pytest in"):
        assert Path(call.split(" with data ")[1]).samefile(data)


def test_command_that_does_not_run_is_passed_over(checkout: Checkout) -> None:
    checkout.command("python3", "#!/usr/bin/env bash\nexit 127\n")
    checkout.command("python3.13", STUB_PYTHON)
    assert checkout.run("scripts/quickstart.sh", VERSION="3.13").returncode == 0


@pytest.mark.parametrize("version", ["2.7", "3.8", "3.9", "3.14"])
def test_unsupported_python_is_refused(checkout: Checkout, version: str) -> None:
    python = str(checkout.command("other python", STUB_PYTHON))
    result = checkout.run("scripts/quickstart.sh", PYTHON=python, VERSION=version)
    assert_refused(result, "3.10-3.13", f"{python} is {version}")
    assert not (checkout.root / ".venv").exists()


def test_python_that_does_not_run_is_refused(checkout: Checkout) -> None:
    result = checkout.run("scripts/quickstart.sh", PYTHON="/missing/python")
    assert_refused(result, "3.10-3.13", "/missing/python does not run")


def test_python_without_venv_is_refused(checkout: Checkout) -> None:
    python = str(checkout.commands / "python3")
    result = checkout.run("scripts/quickstart.sh", PYTHON=python, FAIL="-c import ensurepip")
    assert_refused(result, f"{python} has no venv module", "python3-venv")


def test_failed_install_is_reported_and_tried_again(checkout: Checkout) -> None:
    result = checkout.run("scripts/quickstart.sh", FAIL="-m pip install")
    assert_refused(result, "Installing requirements.txt failed")
    assert checkout.calls("eval.py") == []
    assert checkout.run("scripts/quickstart.sh").returncode == 0
    assert len(checkout.calls("-m pip install")) == 1


def test_full_disk_is_refused_only_where_something_must_be_installed(checkout: Checkout) -> None:
    assert_refused(checkout.run("scripts/quickstart.sh", FREE_GB="9"), "10 GB", "9 GB")
    assert checkout.calls("-m") == []
    assert checkout.run("scripts/quickstart.sh", FREE_GB="10").returncode == 0
    assert checkout.run("scripts/quickstart.sh", FREE_GB="0").returncode == 0
    assert_refused(checkout.run("scripts/test.sh", FREE_GB="0"), "1 GB")


@pytest.mark.parametrize(("free", "cached"), [("12", False), ("13", True)])
def test_downloads_are_cached_only_where_the_disk_has_room(
    checkout: Checkout, free: str, cached: bool
) -> None:
    assert checkout.run("scripts/quickstart.sh", FREE_GB=free).returncode == 0
    (install,) = checkout.calls("-m pip install")
    assert ("--no-cache-dir" not in install) == cached


@pytest.mark.parametrize(
    ("reached", "queued", "code"), [("80 100", True, 1), ("40 100", False, 1), ("100 100", False, 0)]
)
def test_slurm_job_queues_itself_again_only_while_it_gets_on(
    checkout: Checkout, reached: str, queued: bool, code: int
) -> None:
    """Before the job, 40 of 100 steps are done; torchrun fails, as it does when a training stops in time."""
    checkout.command("python", '#!/usr/bin/env bash\ncat >/dev/null\ncat "$PROGRESS"\n')
    checkout.command(
        "srun", '#!/usr/bin/env bash\necho "$*" >>"$CALLS"\necho "$REACHED" >"$PROGRESS"\nexit 1\n'
    )
    checkout.command("scontrol", '#!/usr/bin/env bash\necho "scontrol $*" >>"$CALLS"\necho node7\n')
    activate = checkout.outside / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text("")
    progress = checkout.outside / "progress"
    progress.write_text("40 100\n")
    job = {"SLURM_JOB_ID": "12", "SLURM_JOB_NODELIST": "node[7-8]", "SLURM_NNODES": "2"}
    result = checkout.run(
        "scripts/slurm.sh", "configs/a.txt", "--seed", "1", PROGRESS=str(progress), REACHED=reached, **job
    )
    assert result.returncode == code, result.stderr
    assert checkout.calls("scontrol requeue") == (["scontrol requeue 12"] if queued else [])
    launched = checkout.calls("--kill-on-bad-exit=1 torchrun --nnodes 2 --nproc_per_node 8")
    assert len(launched) == 1 and "--rdzv_endpoint node7:29500" in launched[0]
    assert launched[0].endswith("train.py --max_hours 23.5 --config configs/a.txt --seed 1")
