"""The documents name files that exist, and commands that the scripts understand."""

import json
import re
import shlex
from pathlib import Path

import pytest
from script_runs import REPOSITORY

from gpnerf.commands.options import parse_options

DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "data" / "README.md"]
DOCUMENTS += sorted((REPOSITORY / "docs").glob("*.md"))
# Paths in a document may be relative to these.
TOPS = (REPOSITORY, REPOSITORY / "gpnerf", REPOSITORY / "tests", REPOSITORY / "docs")
# Made by a run, or by a user.
MADE = ("out/", "data/", "FOLDER/", ".venv/")


def named_files(text: str) -> set[str]:
    """The words in backticks, and the targets of links, that look like files or folders of the repository."""
    words = {word for span in re.findall(r"`([^`\n]+)`", text) for word in span.split()}
    words |= set(re.findall(r"\]\(([^)#]+)", text))
    pattern = r"(?:[\w.-]+/)+(?:[\w.-]+\.(?:py|sh|txt|md|ipynb|toml|png))?"
    found = {word for word in words if re.fullmatch(pattern, word) and "NAME" not in word}
    return {word for word in found if not word.startswith(MADE)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_every_file_that_a_document_names_exists(document: Path):
    names = named_files(document.read_text())
    missing = [name for name in names if not any((top / name).exists() for top in (document.parent, *TOPS))]
    assert not missing


def undefined_names(text: str) -> list[str]:
    """Names in backticks behind a file in backticks that this file of the package does not define."""
    named = re.findall(r"`([\w/]+\.py)` `([A-Za-z_][\w.]*)`", text)
    return [
        f"{file} {part}"
        for file, name in named
        for part in name.split(".")
        if not re.search(rf"^ *(?:(?:def|class) )?{part}\b", (REPOSITORY / "gpnerf" / file).read_text(), re.M)
    ]


def test_every_function_that_the_map_of_the_paper_names_is_in_its_file():
    assert undefined_names((REPOSITORY / "docs" / "paper.md").read_text()) == []
    assert undefined_names("`metrics/semantic.py` `semantic_loss`, `methods/method.py` `Method.gone`") == [
        "methods/method.py gone"
    ]


def test_the_readme_stays_short():
    assert len((REPOSITORY / "README.md").read_text().split()) < 1500


def test_a_missing_file_would_be_found():
    assert named_files("`gpnerf/no.py --x 1`, [a](docs/b.md#c), `out/rooms/x.md`, `a.py`") == {
        "gpnerf/no.py",
        "docs/b.md",
    }


def commands(document: Path) -> list[list[str]]:
    """The commands of train.py, eval.py and render.py in the code of a document or notebook."""
    text = document.read_text()
    if document.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    lines = re.findall(r"^!?(?:python|torchrun [^`\n]*?) ?((?:train|eval|render)\.py .*)", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("name", ["README.md", "data/README.md", "docs/colab.ipynb"])
def test_the_scripts_understand_the_commands_of_a_document(name: str, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    found = commands(REPOSITORY / name)
    assert found
    for script, *arguments in found:
        parse_options("", arguments, script.removesuffix(".py"))
