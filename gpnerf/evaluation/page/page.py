"""The whole page: sections in order, style and script, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from gpnerf.evaluation.page.charts import charts
from gpnerf.evaluation.page.classes import iou_bars, legend
from gpnerf.evaluation.page.confusion import confusion_map
from gpnerf.evaluation.page.content import Report
from gpnerf.evaluation.page.gallery import gallery
from gpnerf.evaluation.page.markup import Html, element, joined
from gpnerf.evaluation.page.tables import facts_list, score_tables
from gpnerf.system.files import write_whole

HERE = Path(__file__).parent
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath fill='%230d6670' d='M1 1h8v14H1z'/%3E%3Cpath fill='%23c9c2b4' d='M9 1h6v14H9z'/%3E%3C/svg%3E"
)
READING_PICTURES = (
    "Depth: red is near, dark blue far, grey unknown. Colour error: black is none, yellow is large. "
    "Features: three principal components as red, green and blue."
)


def write_page(path: Path, report: Report) -> None:
    """Writes the page, one file that needs no other and no network; there whole or not at all."""
    # A file name that is no text must not cost the report of an evaluation.
    write_whole(path, page(report).encode("utf-8", "replace"))


def page(report: Report) -> str:
    """The text of the page; sections without content are left out."""
    script = (HERE / "page.js").read_text(encoding="utf-8")
    style = (HERE / "page.css").read_text(encoding="utf-8")
    sections = _sections(report)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", report.title),
        element("link", rel="icon", href=ICON),
        element("style", Html(style)),
    )
    body = element(
        "body",
        element("header", element("h1", report.title), facts_list(report.facts), _contents(sections)),
        element("main", *(_section(name, content) for name, content in sections.items())),
        element("script", Html(script)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def policy(script: str) -> str:
    """A Content-Security-Policy: embedded pictures, this page's styles and this one script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def _sections(report: Report) -> dict[str, Html]:
    """Heading -> content."""
    sections = {}
    if report.tables:
        sections["Scores"] = score_tables(report.tables)
    if any(value is not None for value in report.class_ious):
        sections["IoU per class"] = iou_bars(report)
    if report.confusion is not None and report.confusion.any():
        sections["Confusions"] = confusion_map(report)
    if report.curves:
        sections["Training"] = charts(report.curves)
    if report.views:
        note = element("p", READING_PICTURES, class_="note")
        colors = legend(report.class_names, report.class_colors) if report.class_names else Html("")
        sections["Views"] = joined([note, colors, gallery(report)])
    return sections


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _contents(sections: dict[str, Html]) -> Html:
    links = [element("li", element("a", name, href=f"#{_anchor(name)}")) for name in sections]
    return element("nav", element("ul", *links), aria_label="Sections")


def _section(name: str, content: Html) -> Html:
    anchor = _anchor(name)
    heading = element("h2", name, id=anchor)
    return element("section", heading, content, aria_labelledby=anchor)
