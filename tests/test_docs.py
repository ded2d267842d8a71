"""The documents name files that exist."""

import re
from pathlib import Path

import pytest
from script_runs import REPOSITORY

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


def test_a_missing_file_would_be_found():
    assert named_files("`gpnerf/no.py --x 1`, [a](docs/b.md#c), `out/rooms/x.md`, `a.py`") == {
        "gpnerf/no.py",
        "docs/b.md",
    }
