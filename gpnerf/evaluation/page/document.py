"""The page as HTML: templates, filled with a report, one style sheet and one script.

Python computes the numbers and their order; the templates (*.html, Jinja2) hold the words and the markup.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gpnerf.evaluation.page.axes import number_text
from gpnerf.evaluation.page.charts import charts
from gpnerf.evaluation.page.classes import css_color, found_classes
from gpnerf.evaluation.page.confusion import confusions
from gpnerf.evaluation.page.content import Report
from gpnerf.evaluation.page.gallery import gallery
from gpnerf.evaluation.page.pictures import LABELS, PAIRS, caption, classes_shown, data_uri, kind
from gpnerf.evaluation.page.ranking import LOWER_IS_BETTER, score_name, score_text
from gpnerf.system.files import write_whole

HERE = Path(__file__).parent
# Functions and constants that the templates use.
FILTERS = (caption, classes_shown, css_color, data_uri, kind, number_text, score_name, score_text)
NAMES = {"LABELS": LABELS, "LOWER_IS_BETTER": LOWER_IS_BETTER, "MAIN": PAIRS[0]}


def write_page(path: Path, report: Report) -> None:
    """Writes the page atomically, as one file that loads nothing else."""
    # Names of files may hold bytes that are not UTF-8; they become "?".
    write_whole(path, page(report).encode("utf-8", "replace"))


def page(report: Report) -> str:
    """The HTML of the page; sections without content are left out."""
    script = verbatim("page.js")
    template = environment().get_template("page.html")
    return template.render(
        report=report,
        sections=_sections(report),
        style=verbatim("page.css"),
        script=script,
        policy=policy(script),
    )


def _sections(report: Report) -> list[tuple[str, str, Any]]:
    """The sections that have content: heading, template, and the content that the template reads."""
    sections = [
        ("Scores", "tables.html", report.tables),
        ("IoU per class", "classes.html", found_classes(report)),
        ("Confusions", "confusion.html", confusions(report)),
        ("Training", "charts.html", charts(report.curves)),
        ("Views", "gallery.html", gallery(report)),
    ]
    return [section for section in sections if section[-1]]


@cache
def environment() -> Environment:
    """The templates of this folder; every value is escaped, except what `verbatim` returns."""
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update({function.__name__: function for function in FILTERS})
    made.globals.update(NAMES)
    return made


def verbatim(name: str) -> Markup:
    """A file of this folder that is not escaped; nothing else in the page is exempt."""
    return Markup((HERE / name).read_text(encoding="utf-8"))


def policy(script: str) -> str:
    """A Content-Security-Policy that allows only embedded pictures, inline styles and this script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
