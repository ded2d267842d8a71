"""scripts/view.py refuses what it cannot show in one sentence, before it serves anything."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SceneWriter
from script_runs import EXPNAME, refusal, write_config
from test_scripts_bad_input import save_untrained

from gpnerf.commands.opening import trained_with
from gpnerf.training.checkpoint import Checkpoint
from gpnerf.viewer import server

SCRIPT = "scripts/view.py"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A run of an untrained model."""
    save_untrained(write_config(tmp_path / "office.txt", data_root=tmp_path))
    return tmp_path / "out" / EXPNAME


@pytest.fixture
def viser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the refusals that come later be tested without viser too."""
    monkeypatch.setattr(server, "viser_module", lambda: None)


def test_without_viser_the_sentence_says_how_to_install_it(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    said = refusal(SCRIPT, model, "--scene", "office")
    assert said.endswith('install this project with its extra: `pip install -e ".[viewer]"`.')


def test_a_port_that_is_taken_is_named(model, viser):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refusal(SCRIPT, model, "--scene", "office", "--port", port)
    assert f"expected a free port {port} on 127.0.0.1" in said.lower() and "another --port" in said


@pytest.mark.parametrize("place", [("--port", 70_000), ("--host", "192.0.2.1")])
def test_a_place_where_nobody_can_listen_is_named(model, viser, place):
    said = refusal(SCRIPT, model, "--scene", "office", "--port", 0, *place)
    assert str(place[1]) in said and "choose another --port (0: any free one) or --host" in said


def test_a_scene_that_is_not_there_is_named(model, viser, tmp_path):
    said = refusal(SCRIPT, model, "--scene", "nowhere", "--data_root", tmp_path, "--port", 0)
    assert f"folder of a scene, or of one in {tmp_path}, found 'nowhere', which is neither" in said


def test_a_room_that_is_no_seed_is_named(model, viser):
    said = refusal(SCRIPT, model, "--scene", "kitchen", "--dataset", "rooms", "--port", 0)
    assert "the seed of a room, such as 1000, found 'kitchen'" in said


def test_without_a_scene_the_option_is_named(model, viser):
    assert refusal(SCRIPT, model, "--port", 0).endswith("found none; name it with --scene.")


def test_a_folder_of_two_scenes_is_refused(model, viser, scene_writer: Callable[..., SceneWriter]):
    for name in ("both/a", "both/b"):
        folder = scene_writer(name=name).write().parent
    assert "expected one scene, found 2, the first in a; name one" in refusal(
        SCRIPT, model, "--scene", folder, "--port", 0
    )


def test_a_model_that_is_not_there_is_refused(viser, tmp_path):
    assert "does not exist" in refusal(SCRIPT, tmp_path / "none", "--scene", "a", "--port", 0)


def test_options_of_the_training_hold_for_its_own_scenes_and_its_sources_for_all(tmp_path):
    options = {"dataset": "rooms", "data_root": "rooms", "height": 96, "num_source_views": 4, "steps": 9}
    model = Checkpoint(0, None, (), {}, {}, options)
    known = ("dataset", "data_root", "height", "num_source_views", "view_metric")
    assert trained_with(model, "1000", known) == {
        "dataset": "rooms",
        "data_root": "data/rooms",
        "height": 96,
        "num_source_views": 4,
    }
    assert trained_with(model, str(tmp_path), known) == {"num_source_views": 4}
