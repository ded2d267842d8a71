"""What auto means is timed once and remembered; a run knows how it computes, and says when that changes."""

import errno
import json
import logging
import os
import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import asdict, dataclass, replace

import cv2
import numpy as np
import pytest
import torch
from helpers import tiny_model
from script_runs import REPOSITORY

from gpnerf.execution import numerics
from gpnerf.execution.numerics import machine_name, make_repeatable, settle
from gpnerf.execution.workload import Sample, Workload
from gpnerf.system.choices import timed
from gpnerf.system.distributed import Processes
from gpnerf.system.numerics_record import Numerics, numerics_from

CPU = torch.device("cpu")
WORK = Workload(height=24, width=32, views=3, rays=20, items=4, training=True, chunk=20)
AUTO = Namespace(precision="auto", compile="auto")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GPNERF_CACHE", str(tmp_path))
    return tmp_path


def answers(monkeypatch, **seconds):
    """Timings of `_faster_precision` in place of measured ones."""
    monkeypatch.setattr(numerics, "timed", lambda question, facts, candidates: seconds)


def test_a_timing_is_made_once_and_the_faster_candidate_is_known(cache):
    calls = []
    candidates = {
        "slow": lambda: (calls.append("slow"), time.sleep(0.02)),
        "fast": lambda: calls.append("fast"),
    }
    first = timed("question", ["machine", 2], candidates)
    assert first["slow"] > 0.019 > first["fast"]
    made = len(calls)
    assert timed("question", ["machine", 2], candidates) == first and len(calls) == made
    timed("question", ["machine", 1], candidates)
    assert len(calls) == 2 * made


@pytest.mark.parametrize(
    "content", ["", "[]", '{"seconds": {"slow": 1}}', '{"seconds": {"slow": 1, "fast": "x"}}']
)
def test_a_damaged_answer_is_timed_again(cache, content):
    candidates = {"slow": lambda: None, "fast": lambda: None}
    timed("question", [], candidates)
    (file,) = (cache / "choices").iterdir()
    file.write_text(content)
    assert timed("question", [], candidates) == json.loads(file.read_text())["seconds"]


def test_of_two_runs_that_time_at_once_both_take_the_first_answer(cache):
    """The other one starts and ends while this one is timing."""
    others = []

    def run():
        if not others:
            others.append(timed("question", [], {"one": lambda: time.sleep(0.02)}))

    assert timed("question", [], {"one": run}) == others[0]
    assert others[0]["one"] > 0.019
    assert [file.suffix for file in (cache / "choices").iterdir()] == [".json"]


def test_an_answer_is_kept_where_files_cannot_be_linked(cache, monkeypatch):
    def refuse(*paths):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    seconds = timed("question", [], {"one": lambda: None})
    (file,) = (cache / "choices").iterdir()
    assert json.loads(file.read_text())["seconds"] == seconds


def test_heads_dropout_and_the_order_of_sums_are_questions_of_their_own():
    def facts(**changes):
        return Sample(tiny_model(**changes), WORK).facts("machine")

    plain = facts(heads=2, dropout=0.0)
    assert plain == facts(heads=2, dropout=0.0)
    assert plain == facts(heads=2, dropout=0.0, lr_head=1.0, weight_semantic=0.0)
    # These leave the shapes of all tensors as they are.
    assert plain != facts(heads=4, dropout=0.0) and plain != facts(heads=2, dropout=0.1)
    try:
        torch.use_deterministic_algorithms(True)
        assert plain != facts(heads=2, dropout=0.0)
    finally:
        torch.use_deterministic_algorithms(False)


def test_an_answer_that_cannot_be_kept_is_said(monkeypatch, tmp_path, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GPNERF_CACHE", str(tmp_path / "file"))
    assert timed("question", [], {"one": lambda: None})["one"] < 1.0
    assert "the next run times again and may choose differently" in caplog.text


@pytest.mark.parametrize(
    ("float32", "bfloat16", "chosen", "said"),
    [
        (1.0, 0.5, "bfloat16", "2.00 times"),
        (1.0, 0.86, "bfloat16", "1.16 times"),
        (1.0, 0.88, "float32", "1.14 times"),
        (1.0, 4.0, "float32", "0.25 times"),
    ],
)
def test_auto_takes_bfloat16_on_a_cpu_from_fifteen_per_cent_on(
    monkeypatch, caplog, float32, bfloat16, chosen, said
):
    answers(monkeypatch, float32=float32, bfloat16=bfloat16)
    with caplog.at_level(logging.INFO):
        found = settle(tiny_model(), AUTO, WORK, Processes())
    assert found.precision == chosen
    assert f"Computing in {chosen}: bfloat16 is {said} as fast" in caplog.text


def test_auto_goes_on_as_the_run_began_on_the_same_machine(monkeypatch):
    answers(monkeypatch, float32=1.0, bfloat16=0.1)
    model = tiny_model()
    before = Numerics(machine_name(CPU), 1, "float32", True, False, "2.6.0")
    assert settle(model, AUTO, WORK, Processes(), before).precision == "float32"
    elsewhere = Numerics("another processor", 1, "float32", True, False, "2.6.0")
    assert settle(model, AUTO, WORK, Processes(), elsewhere).precision == "bfloat16"
    asked = Namespace(precision="bfloat16", compile="no")
    assert settle(model, asked, WORK, Processes(), before).precision == "bfloat16"


@dataclass(frozen=True)
class Second(Processes):
    """The other of two processes, of which the first has answered."""

    answers: tuple = ()

    def gather(self, value):
        # Asked on its own, this one would decide otherwise.
        assert value is None
        return [next(self.answers), value]


@pytest.mark.parametrize(("precision", "compiled"), [("bfloat16", False), ("float32", True)])
def test_processes_compute_as_the_first_one_decides(monkeypatch, precision, compiled):
    answers(monkeypatch, float32=1.0, bfloat16=1.0)
    asked = []
    monkeypatch.setattr(numerics, "worth_compiling", lambda *given: asked.append(given))
    monkeypatch.setattr(numerics, "compile_layers", lambda model: True)
    second = Second(1, 2, 1, iter([precision, compiled]))
    # Its machine, or its checkpoint, may be of another kind: it waits for the same answers.
    before = Numerics(machine_name(CPU), 1, "float32", True, False, "2.6.0")
    found = settle(tiny_model(), AUTO, WORK, second, before)
    assert (found.precision, found.compiled, asked) == (precision, compiled, [])
    assert list(second.answers) == []


def test_what_changed_is_named():
    before = Numerics("processor", 2, "float32", True, False, "2.14.1")
    later = Numerics("processor", 1, "bfloat16", True, False, "2.14.1")
    assert before.changes(before) == ""
    assert before.changes(later) == "threads: 1, not 2, precision: bfloat16, not float32"


def test_a_record_holds_the_versions_that_decide_numbers():
    found = settle(tiny_model(), Namespace(precision="float32", compile="no"), WORK, Processes())
    assert (found.torch, found.numpy, found.opencv) == (torch.__version__, np.__version__, cv2.__version__)
    other = replace(found, opencv="4.0.0")
    assert other.changes(found) == f"opencv: {cv2.__version__}, not 4.0.0"


def test_what_an_older_record_lacks_is_no_change():
    later = Numerics("processor", 2, "float32", True, False, "2.6.0", "2.0.0", "4.10.0")
    stored = {name: value for name, value in asdict(later).items() if name not in ("numpy", "opencv")}
    before = numerics_from(stored)
    assert before.precision == "float32" and before.changes(later) == ""
    assert before.changes(replace(later, torch="2.7.0")) == "torch: 2.7.0, not 2.6.0"
    assert numerics_from(asdict(later)) == later
    assert numerics_from(None) is None


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("classes", [0, 3])
def test_a_sample_leaves_the_model_as_it_was(training, classes):
    model = tiny_model(classes=classes).train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    sample = Sample(model, Workload(24, 32, 3, 20, 4, training, 20))
    for precision in ("float32", "bfloat16"):
        sample.run(precision)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())
    # 4 items of 20 rays, 20 at a time.
    assert sample.count == 4


def test_checkpoints_are_read_without_what_times_and_compiles():
    code = "import sys, gpnerf.training.checkpoint; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    modules = set(done.stdout.split())
    assert "gpnerf.training.checkpoint" in modules
    assert not modules & {
        "gpnerf.execution.numerics",
        "gpnerf.execution.workload",
        "gpnerf.execution.compilation",
        "gpnerf.system.choices",
    }


def test_sums_have_one_order_on_a_cpu_unless_asked_otherwise():
    try:
        assert make_repeatable("auto", "cpu") and torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
        assert not make_repeatable("no", "cpu") and not torch.are_deterministic_algorithms_enabled()
        assert not make_repeatable("auto", "cuda")
    finally:
        torch.use_deterministic_algorithms(False)
