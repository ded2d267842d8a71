"""The notebook in docs/ runs from its first cell to its last, on a small run and room."""

import json
import os

import pytest
from script_runs import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "first_steps.ipynb"


def cells(kind):
    content = json.loads(NOTEBOOK.read_text())["cells"]
    return [cell for cell in content if cell["cell_type"] == kind]


def test_every_cell_runs(rooms_config, rooms_run, monkeypatch, capsys):
    monkeypatch.chdir(NOTEBOOK.parent)
    room = next((rooms_config.parent / "rooms").rglob("room_1000"))
    own = {'"rooms"': f'"{rooms_run}"', "../data/rooms/v6_96x128_24/room_1000": os.fspath(room)}
    found = {}
    for cell in cells("code"):
        lines = "".join(cell["source"])
        for shown, here in own.items():
            lines = lines.replace(shown, here)
        exec(lines, found)
    assert found["view"].color.shape == (3, 96, 128)
    assert "PSNR" in capsys.readouterr().out


def test_its_pictures_are_there():
    kinds = [kind for cell in cells("code") for output in cell["outputs"] for kind in output.get("data", {})]
    assert kinds.count("image/png") >= 4


@pytest.mark.parametrize("kind", ["code", "markdown"])
def test_no_output_holds_a_path_of_a_machine(kind):
    assert "/home/" not in json.dumps(cells(kind)) and "/root/" not in json.dumps(cells(kind))
