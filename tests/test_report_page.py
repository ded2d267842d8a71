"""The report page: well-formed, self-contained, safe, and with the numbers that it was given."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re

import numpy as np
import pytest
from report_example import CONFUSION, EVIL, QUOTES, decoded, example, is_exact, pictures, tree, views

from gpnerf.evaluation.page import Curve, ViewEntry, write_page
from gpnerf.evaluation.page.confusion import row_shares
from gpnerf.evaluation.page.document import page
from gpnerf.evaluation.page.ranking import natural, ranks, score_text
from gpnerf.evaluation.table import Table


@pytest.fixture(scope="module")
def full():
    return tree(page(example()))


def test_the_page_is_one_document_with_its_language_title_and_sections_in_order(full):
    assert full.one("html").attributes["lang"] == "en"
    assert full.one("title").text == full.one("h1").text == "Two scenes"
    titles = [heading.text for heading in full.all("h2")]
    assert titles == ["Scores", "IoU per class", "Confusions", "Training", "Views"]
    levels = [int(node.name[1]) for node in full.walk() if re.fullmatch("h[1-6]", node.name)]
    assert levels[0] == 1 and all(
        after <= before + 1 for before, after in zip(levels, levels[1:], strict=False)
    )


def test_ids_are_unique_and_every_reference_has_its_target(full):
    ids = [node.attributes["id"] for node in full.walk() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for node in full.walk():
        for key in ("aria-labelledby", "for"):
            assert node.attributes.get(key, ids[0]) in ids
        if node.name == "a":
            assert node.attributes["href"].removeprefix("#") in ids


def test_facts_and_tables_say_what_they_were_given(full):
    facts = full.one("dl", class_="facts")
    pairs = dict(zip([n.text for n in facts.all("dt")], [n.text for n in facts.all("dd")], strict=True))
    assert pairs == example().facts
    assert facts.one("code").text == "python eval.py --expname x"
    table = full.one("table", class_="scores-table")
    assert table.one("caption").text == "Test scenes"
    cells = [[cell.text for cell in row.children] for row in table.all("tr")]
    assert cells == [["scene", "PSNR"], ["a", "22.50"], ["b", "17.38"], ["mean of scenes", "19.94"]]
    assert [row.text for row in table.all("tr", class_="total")] == ["mean of scenes19.94"]


def test_every_picture_says_what_it_shows_and_decodes_to_its_size(full):
    images = full.all("img")
    assert len(images) == 4 * 8
    for image in images:
        picture = decoded(image.attributes["src"])
        assert picture.size == (32, 24) == (int(image.attributes["width"]), int(image.attributes["height"]))
        assert image.attributes["loading"] == "lazy" and re.match(r"[ab] / \d+: .", image.attributes["alt"])
        exact = "depth" in image.attributes["alt"] or "labels" in image.attributes["alt"]
        assert is_exact(image.attributes["src"]) == exact == (image.attributes.get("class") == "exact")
    texts = {image.attributes["alt"] for image in images}
    assert "a / 1: true labels (wall, floor)" in texts and "a / 1: rendered labels (chair)" in texts


def test_controls_have_names_and_what_needs_the_script_is_hidden_without_it(full):
    labels = {id(control) for label in full.all("label") for control in label.walk()}
    for control in [*full.all("input"), *full.all("select")]:
        assert id(control) in labels or control.attributes.get("aria-label")
    assert all("hidden" in node.attributes for node in full.all("div", class_="comparison"))
    assert "hidden" in full.one("form").attributes
    outside = [button for button in full.all("button") if button not in full.one("dialog").all("button")]
    assert not outside


def test_bars_are_as_long_as_the_iou_and_sorted_and_absent_classes_named(full):
    bars = full.one("ol", class_="bars").all("li")
    assert [bar.one("span", class_="name").text for bar in bars] == ["wall", "floor", "chair"]
    styles = [bar.one("span", class_="track").children[0].attributes["style"] for bar in bars]
    assert styles == [
        "width:66.7%;background:#c87828",
        "width:30.0%;background:#285ac8",
        "width:0.0%;background:#1ea03c",
    ]
    assert [bar.one("span", class_="value").text for bar in bars] == ["0.667", "0.300", "0.000"]
    # 8 of 16 labelled pixels are wall, 8 floor.
    assert [bar.one("span", class_="share").text for bar in bars] == ["50.0 %", "50.0 %", "0.0 %"]
    assert any("Neither labelled nor predicted: lamp." in note.text for note in full.all("p", class_="note"))


def test_without_a_matrix_no_share_of_pixels_is_shown():
    content = tree(page(example(confusion=None)))
    assert "Best first." in [label.text for label in content.all("p", class_="label")]
    assert len(content.one("ol", class_="bars").all("li")) == 3 and not content.all("span", class_="share")


def test_the_confusion_matrix_is_normalised_per_row_and_shows_only_what_occurs(full):
    shares = row_shares(CONFUSION)
    assert shares.tolist() == [[0.75, 0.25, 0, 0], [0.125, 0.375, 0.5, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    rows = full.one("table", id="confusion").one("tbody").all("tr")
    assert [row.one("th").text for row in rows] == ["wall", "floor", "chair"]
    assert [[cell.text for cell in row.all("td")] for row in rows] == [
        ["75", "25", ""],
        ["12", "38", "50"],
        ["", "", ""],
    ]
    first = rows[0].all("td")
    assert first[1].attributes["title"] == "wall, predicted floor: 25.00 % (2 pixels)"
    # Square roots of 0.75 and 0.25.
    assert [cell.attributes["style"] for cell in first[:2]] == ["--ink:0.866", "--ink:0.500"]
    assert rows[2].all("td")[0].attributes["title"] == "chair, predicted wall: none"
    # 4, 2 and 1 of 16 pixels.
    lost = [entry.text for entry in full.one("ul", class_="lost").all("li")]
    assert lost == [
        "25.00 % floor taken for chair",
        "12.50 % wall taken for floor",
        "6.25 % floor taken for wall",
    ]


@pytest.mark.parametrize("count, kind", [(20, "roomy"), (51, "dense")])
def test_many_classes_get_smaller_cells(count, kind):
    confusion = np.eye(count, dtype=np.int64)
    names = tuple(f"class {number}" for number in range(count))
    colors = np.arange(3 * count, dtype=np.uint8).reshape(count, 3)
    report = example(class_names=names, class_colors=colors, confusion=confusion, class_ious=[1.0] * count)
    table = tree(page(report)).one("table", id="confusion")
    assert kind in table.attributes["class"] and len(table.one("tbody").all("td")) == count**2


def test_views_are_listed_from_the_worst_on(full):
    articles = full.all("article")
    assert [view.one("h3").text for view in articles] == ["b / 10", "a / 9", "b / 2", "a / 1"]
    scores = {n.text: v.text for n, v in zip(articles[2].all("dt"), articles[2].all("dd"), strict=True)}
    assert scores == {"PSNR": "22.50", "LPIPS": "0.225", "mIoU": "–"}
    options = [option.text for option in full.one("select", id="scene").all("option")]
    assert options == ["all 2", "a", "b"]
    chosen = [
        option for option in full.one("select", id="order").all("option") if "selected" in option.attributes
    ]
    assert [option.text for option in chosen] == ["PSNR, lowest first"]


def test_ranks_count_from_the_worst_and_leave_out_what_is_unknown():
    places = ranks(views())
    # Views a/1, a/9, b/2, b/10; a high LPIPS is bad.
    assert [place["name"] for place in places] == [0, 1, 2, 3]
    assert [place["psnr"] for place in places] == [3, 1, 2, 0]
    assert [place["lpips"] for place in places] == [0, 2, 1, 3]
    assert [place.get("miou") for place in places] == [1, 2, None, 0]
    unknown = ViewEntry("c", "0", {"psnr": math.nan}, {})
    assert "psnr" not in ranks([unknown, *views()])[0]
    assert sorted(["10", "9", "x10", "x9", ""], key=natural) == ["", "9", "10", "x9", "x10"]
    assert (score_text("psnr", 9.876), score_text("ssim", 0.98765)) == ("9.88", "0.988")


def test_a_score_that_no_view_has_orders_by_name():
    report = example(worst_by="total_accuracy")
    content = tree(page(report))
    assert [view.one("h3").text for view in content.all("article")] == ["a / 1", "a / 9", "b / 2", "b / 10"]
    chosen = [
        option
        for option in content.one("select", id="order").all("option")
        if "selected" in option.attributes
    ]
    assert [option.text for option in chosen] == ["name"]


def test_texts_of_the_data_never_become_markup():
    report = example(
        title=EVIL + QUOTES,
        facts={EVIL: QUOTES, "command": EVIL},
        tables=[Table(EVIL, [EVIL, QUOTES], [[EVIL, QUOTES]], note=EVIL)],
        class_names=(EVIL, QUOTES, "chair", "lamp"),
        curves=[Curve(f"training/{EVIL}", [1, 2], [1.0, 2.0])],
        views=[ViewEntry(EVIL, QUOTES, {"psnr": 1.0}, pictures(0))],
    )
    content = tree(page(report))
    assert len(content.all("script")) == 1
    assert content.one("h1").text == EVIL + QUOTES and content.one("code").text == EVIL
    view = content.one("article")
    assert view.one("h3").text == f"{EVIL} / {QUOTES}" and view.attributes["data-scene"] == EVIL
    assert content.one("select", id="scene").all("option")[1].attributes["value"] == EVIL
    assert json.loads(view.attributes["data-ranks"]) == {"name": 0, "psnr": 0}
    assert f"{EVIL} / {QUOTES}: true labels ({EVIL}, {QUOTES})" in {
        i.attributes["alt"] for i in view.all("img")
    }
    assert not [key for node in content.walk() for key in node.attributes if key.startswith("on")]


def test_the_policy_names_this_script_alone_and_nothing_is_loaded(full):
    policy = full.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    digest = base64.b64encode(hashlib.sha256(full.one("script").text.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    assert rules["script-src"] == f"'sha256-{digest}'"
    for node in full.walk():
        assert node.attributes.get("src", "data:").startswith("data:")
        assert node.attributes.get("href", "#").startswith(("#", "data:"))
    style, script = full.one("style").text, full.one("script").text
    assert "url(" not in style and "@import" not in style
    assert "innerHTML" not in script and "insertAdjacentHTML" not in script


def test_a_report_without_labels_curves_or_views_leaves_these_sections_out():
    nothing = {
        "class_names": (),
        "class_colors": np.zeros((0, 3), np.uint8),
        "confusion": None,
        "class_ious": [],
    }
    maps = {kind: pictures(0)[kind] for kind in ("photograph", "rendered", "rendered_depth")}
    bare = [ViewEntry("a", "1", {"psnr": 20.0, "miou": None}, maps), ViewEntry("a", "2", {}, {})]
    content = tree(page(example(**nothing, curves=[], views=bare)))
    assert [heading.text for heading in content.all("h2")] == ["Scores", "Views"]
    assert [len(view.all("select")) for view in content.all("article")] == [1, 0]
    assert not content.all(id="pair") and not content.all(id="legend")
    lost = [Curve("training/loss", [0], [math.nan])]
    empty = tree(page(example(**nothing, facts={}, tables=[], curves=lost, views=[])))
    assert not empty.all("h2") and empty.one("h1")


def test_writing_replaces_the_page_whole(tmp_path):
    path = tmp_path / "eval" / "report.html"
    write_page(path, example(title="first"))
    write_page(path, example(title="second", facts={"scene": "caf\udce9"}))
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    content = tree(path.read_text(encoding="utf-8"))
    assert content.one("h1").text == "second" and content.one("dl", class_="facts").one("dd").text == "caf?"
