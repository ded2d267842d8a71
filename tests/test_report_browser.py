"""The report page in a real browser: it loads whole, fits its window, and works by keyboard alone."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from browser import Tab, browser, find_browser
from report_example import example, pictures, views

from gpnerf.evaluation.page import ViewEntry, write_page

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(
    PROGRAM is None,
    reason="no browser: expected chromium or google-chrome on the PATH, or its path in GPNERF_BROWSER",
)

DESKTOP, PHONE = 1280, 390
# How many pictures have decoded.
LOADED = """(async () => {
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map((image) => image.decode()));
  return [...document.images].filter((image) => image.naturalWidth > 0).length;
})()"""
ORDER = "[...document.querySelectorAll('article:not([hidden]) h3')].map((heading) => heading.textContent)"
FOCUS = "document.querySelector('{}').focus()"
# The element with the focus: what it is, whether a ring shows it, and whether it has a name.
FOCUSED = """(() => {
  const node = document.activeElement;
  if (node === document.body) return null;
  const ring = (element) => getComputedStyle(element).outlineStyle !== "none";
  const stage = node.closest(".stage");
  const label = node.getAttribute("aria-label") || node.getAttribute("aria-labelledby");
  const text = node.textContent.trim() || node.labels?.[0]?.textContent || node.querySelector("img")?.alt;
  const kind = node.id || node.type || node.localName;
  return { kind, ring: ring(node) || Boolean(stage && ring(stage)), named: Boolean(label || text) };
})()"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(PROGRAM, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_page(path, example())
    return path


@pytest.fixture
def opened(tab, page):
    tab.open(page, DESKTOP)
    return tab


def faults(tab: Tab) -> list[str]:
    """What went wrong since the page was opened, the policy's refusals included."""
    thrown = [event["exceptionDetails"]["text"] for event in tab.seen("Runtime.exceptionThrown")]
    logged = [event["entry"]["text"] for event in tab.seen("Log.entryAdded")]
    urls = [event["request"]["url"] for event in tab.seen("Network.requestWillBeSent")]
    return thrown + logged + [url[:80] for url in urls if not url.startswith(("data:", "file:"))]


def many_classes(path: Path, count: int) -> Path:
    """A page with names and numbers as long as they get."""
    names = tuple(f"a class of some length {number}" for number in range(count))
    colors = np.random.default_rng(0).integers(0, 256, (count, 3), dtype=np.uint8)
    confusion = np.random.default_rng(1).integers(0, 9999, (count, count))
    long = ViewEntry("scene" * 30, "frame-" * 20, {"psnr": 20.0}, pictures(0))
    facts = {"checkpoint": "out/" + "folder/" * 30, "command": "python eval.py " + "--option value " * 30}
    write_page(
        path,
        example(class_names=names, class_colors=colors, confusion=confusion, class_ious=[0.5] * count,
                facts=facts, views=[long, *views()]),
    )  # fmt: skip
    return path


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("count", [4, 51])
def test_everything_loads_without_a_fault_and_fits_the_window(tab, page, tmp_path, width, count):
    path = page if count == 4 else many_classes(tmp_path / "report.html", count)
    tab.open(path, width)
    # Every view shows its pictures and the two of its slider.
    number = 4 if count == 4 else 5
    assert tab.value(LOADED) == tab.value("document.images.length") == number * 10
    assert tab.value("innerWidth") == width
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert faults(tab) == []


def test_the_policy_stops_any_other_script(tab, page, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page.read_text().replace("</main>", "<script>document.title = 'taken'</script></main>"))
    tab.open(path, DESKTOP)
    assert tab.value("document.title") == "Two scenes"
    assert any("Content Security Policy" in fault for fault in faults(tab))


def test_without_scripts_every_picture_is_visible_and_nothing_idle_is_shown(tab, page):
    tab.open(page, DESKTOP, scripts=False)
    shown = "[...document.querySelectorAll('{}')].filter((node) => node.getClientRects().length).length"
    assert tab.value(shown.format("img")) == 4 * 8
    assert tab.value(shown.format("form, input, select, button, dialog, .handle")) == 0
    assert tab.value(ORDER) == ["b / 10", "a / 9", "b / 2", "a / 1"]


def test_tab_goes_through_all_controls_and_out_of_the_page(opened):
    stops = []
    for _ in range(200):
        opened.press("Tab")
        stop = opened.value(FOCUSED)
        if stop is None:
            break
        stops.append(stop)
    assert opened.value(FOCUSED) is None, "the focus never left the page"
    kinds = [stop["kind"] for stop in stops]
    assert all(stop["ring"] and stop["named"] for stop in stops), stops
    # Per view: the slider, the choice of the pair, and the six maps beside the pair on show.
    assert kinds.count("range") == 4 and kinds.count("button") == 1 + 4 * 6
    assert [kind for kind in kinds if kind in ("order", "scene", "pair")] == ["order", "scene", "pair"]
    assert kinds.count("td") == 1, "the whole matrix is one stop"


def test_arrow_keys_and_clicks_move_the_boundary(opened):
    state = """(() => {
      const slider = document.querySelector(".stage input");
      return [slider.value, slider.closest(".stage").style.getPropertyValue("--cut"), slider.ariaValueText];
    })()"""
    opened.value(FOCUS.format(".stage input"))
    opened.press("ArrowRight", times=10)
    assert opened.value(state) == ["60", "60%", "60 % photograph"]
    for key, end in (("Home", "0"), ("End", "100")):
        opened.press(key)
        assert opened.value(state)[:2] == [end, f"{end}%"]
    opened.value("document.querySelector('.stage').scrollIntoView()")
    box = opened.value("document.querySelector('.stage').getBoundingClientRect().toJSON()")
    opened.click(box["left"] + 0.25 * box["width"], box["top"] + 0.1 * box["height"])
    assert float(opened.value(state)[0]) == pytest.approx(25.0, abs=3.0)


def test_the_pair_of_a_view_and_of_all_views_can_be_chosen(opened):
    tags = "[...document.querySelectorAll('.tag')].map((tag) => tag.textContent)"
    legends = (
        "[...document.querySelectorAll('.choice')].map((box) => box.querySelector('.legend')?.innerText)"
    )
    photographs = ["photograph", "rendered"]
    opened.value(FOCUS.format(".choice select"))
    opened.press("ArrowDown")
    assert opened.value(tags) == ["labels", "rendered labels", *photographs * 3]
    assert opened.value(legends) == ["wall\nfloor\nchair", None, None, None]
    opened.value(FOCUS.format("#pair"))
    opened.press("ArrowDown", times=2)
    assert opened.value(tags) == ["true depth", "rendered depth"] * 4
    assert opened.value(legends) == [None] * 4


def test_views_are_ordered_and_chosen_by_keyboard(opened):
    assert opened.value(ORDER) == ["b / 10", "a / 9", "b / 2", "a / 1"]
    opened.value(FOCUS.format("#order"))
    opened.press("ArrowDown")
    # LPIPS, highest first.
    assert opened.value(ORDER) == ["a / 1", "b / 2", "a / 9", "b / 10"]
    opened.press("ArrowDown")
    # mIoU; the view without one is the last, and stays it when the best come first.
    assert opened.value(ORDER) == ["b / 10", "a / 1", "a / 9", "b / 2"]
    opened.press("ArrowDown", times=3)
    assert opened.value(ORDER) == ["a / 9", "a / 1", "b / 10", "b / 2"]
    opened.press("ArrowDown")
    assert opened.value(ORDER) == ["a / 1", "a / 9", "b / 2", "b / 10"]
    opened.value(FOCUS.format("#scene"))
    opened.press("ArrowDown", times=2)
    assert opened.value(ORDER) == ["b / 2", "b / 10"]
    assert opened.value("document.getElementById('count').textContent") == "2 of 4 views"


def test_a_picture_opens_steps_and_closes_and_gives_the_focus_back(opened):
    opened.value("window.opener_ = document.querySelectorAll('.zoom')[6], window.opener_.focus()")
    opened.press("Enter")
    state = """(() => {
      const dialog = document.getElementById("zoom");
      const [name, legend] = ["#zoom-name", "#zoom-legend"].map((id) => dialog.querySelector(id));
      return [dialog.open, name.textContent, legend.innerText, dialog.querySelector("img").naturalWidth];
    })()"""
    assert opened.value(state) == [True, "rendered labels · b / 10", "chair", 32]
    opened.press("ArrowLeft")
    assert opened.value(state)[1:3] == ["labels · b / 10", "wall\nfloor"]
    opened.press("ArrowRight", times=2)
    assert opened.value(state)[1:3] == ["rendered features (PCA) · b / 10", ""]
    for _ in range(6):
        opened.press("Tab")
        inside = (
            "document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
        )
        assert opened.value(inside)
    opened.press("Escape")
    assert opened.value("document.getElementById('zoom').open") is False
    assert opened.value("document.activeElement === window.opener_")


def test_the_matrix_says_in_words_what_a_cell_is(opened):
    said = "document.getElementById('cell').textContent"
    opened.value(FOCUS.format('#confusion td[tabindex="0"]'))
    assert opened.value(said) == "wall, predicted wall: 75.00 % (6 pixels)"
    opened.press("ArrowDown")
    opened.press("End")
    assert opened.value(said) == "floor, predicted chair: 50.00 % (4 pixels)"
    opened.press("Home")
    assert opened.value(said) == "floor, predicted wall: 12.50 % (1 pixel)"


def test_the_command_can_be_taken(opened):
    opened.value(FOCUS.format(".command .button"))
    opened.press("Enter")
    button = "document.querySelector('.command .button').textContent"
    end = time.monotonic() + 20.0
    while (text := opened.value(button)) == "Copy":
        assert time.monotonic() < end
    # Browsers may keep the clipboard closed.
    taken = text, opened.value("getSelection().toString().trim()")
    assert taken in [("Copied", ""), ("Selected", "python eval.py --expname x")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background_in_both_schemes(tab, page, scheme):
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    tab.open(page, DESKTOP)
    style = "getComputedStyle(document.querySelector('{}')).{}"
    paper = luminance(tab.value(style.format("body", "backgroundColor")))
    assert (paper > 0.5) == (scheme == "light")
    for part in ("h1", "dt", "a", ".note", "caption", "td", "figcaption li", "h3 span", ".share", "output"):
        text = luminance(tab.value(style.format(part, "color")))
        # The ratio that WCAG 2 asks of small text.
        assert (max(paper, text) + 0.05) / (min(paper, text) + 0.05) >= 4.5, part
    tab.call("Emulation.setEmulatedMedia", features=[])


def luminance(color: str) -> float:
    """Relative luminance, as WCAG 2 defines it, of "rgb(r, g, b)"."""
    values = np.array(json.loads(f"[{color[color.index('(') + 1 : -1]}]"))[:3] / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
