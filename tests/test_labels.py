"""Label spaces: raw ids to classes, those of the benchmarks, and what is refused."""

import numpy as np
import pytest

from gpnerf.datasets.labels import IGNORE, LabelSpace, class_colors
from gpnerf.datasets.published import replica, scannet
from gpnerf.datasets.published.class_lists import SCANNET_CLASSES
from gpnerf.system.errors import DataError

HEADER = "id\traw_category\tnyu40id\tnyu40class\n"


@pytest.fixture
def label_map(tmp_path):
    """Six rows in the form of ScanNet's table; id 4 is skipped, 900 has no nyu40 class."""
    path = tmp_path / scannet.LABEL_MAP
    rows = ["1\twall\t1\twall", "2\tchair\t5\tchair", "3\tfloor\t2\tfloor", "5\tbooks\t23\tbooks"]
    rows += ["900\tthing\t\t", "1357\tother\t39\totherfurniture"]
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


def classes(space, ids):
    return space.to_classes(np.array(ids, np.uint16), "map.png").tolist()


def test_ids_that_are_classes_already():
    space = LabelSpace.identity(("wall", "floor"), ignore_id=7)
    assert classes(space, [0, 1, 7]) == [0, 1, IGNORE]
    with pytest.raises(DataError, match=r"map.png: label id 2 \(3 pixels\).*2 ids from 0 to 1, 7 unlabelled"):
        classes(space, [2, 2, 2, 0])


def test_scannet_ids_become_the_twenty_classes_of_the_benchmark(label_map):
    space = scannet.label_space(label_map, all_classes=False)
    assert space.names == SCANNET_CLASSES
    assert (space.num_classes, space.names[0], space.names[19]) == (20, "wall", "other furniture")
    # Unannotated, wall, chair, floor, skipped by the table, books (not scored), no class, other furniture.
    assert classes(space, [0, 1, 2, 3, 4, 5, 900, 1357]) == [-1, 0, 4, 1, -1, -1, -1, 19]


def test_scannet_ids_become_all_forty_classes(label_map):
    space = scannet.label_space(label_map, all_classes=True)
    assert (space.num_classes, space.names[22]) == (40, "books")
    assert classes(space, [0, 1, 5, 1357]) == [-1, 0, 22, 38]


def test_an_id_beyond_the_table_is_refused(label_map):
    space = scannet.label_space(label_map, all_classes=False)
    with pytest.raises(DataError, match=r"label id 1358 \(1 pixels\) is not in the list"):
        classes(space, [1, 1358])


def test_eight_bits_are_refused_where_ids_need_sixteen(label_map):
    space = scannet.label_space(label_map, all_classes=False)
    with pytest.raises(DataError, match="map.png: expected 16-bit label ids, found an 8-bit file"):
        space.to_classes(np.zeros((2, 2), np.uint8), "map.png")


TABLES = {
    "no column": ("id\tcategory\n1\twall\n", "found no nyu40id"),
    "no header": ("1\twall\t1\twall\n", "found no id and no nyu40id"),
    "a word": (HEADER + "one\twall\t1\twall\n", "expected whole numbers.*'one'"),
    "a short row": (HEADER + "1\n", "expected whole numbers|no nyu40"),
    "no rows": (HEADER, "expected rows with ids from 0 to 65535, found none"),
    "a huge id": (HEADER + "70000\twall\t1\twall\n", "found 70000 to 70000"),
    "not text": (b"\xff\xfe\x00id", "expected whole numbers"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_broken_table_is_told_in_a_sentence(tmp_path, name):
    content, expected = TABLES[name]
    path = tmp_path / scannet.LABEL_MAP
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=expected) as caught:
        scannet.label_space(path, all_classes=False)
    assert str(path) in str(caught.value) and "official" in str(caught.value)


def test_a_missing_table_is_told_with_the_remedy(tmp_path):
    with pytest.raises(DataError, match="expected ScanNet's label map, found no such file; get it with"):
        scannet.label_space(tmp_path / scannet.LABEL_MAP, all_classes=False)


def test_the_51_and_the_101_classes_of_replica():
    """31 ceiling, 40 floor, 93 wall, 97 window; curtain (30) is not scored, 0 is void."""
    scored, everything = replica.label_space(False), replica.label_space(True)
    assert (scored.num_classes, everything.num_classes) == (51, 101)
    assert [scored.names[number] for number in classes(scored, [31, 40, 93, 97])] == [
        "ceiling",
        "floor",
        "wall",
        "window",
    ]
    assert classes(scored, [0, 3, 30, 98]) == [IGNORE, 0, IGNORE, 50]
    assert classes(everything, [0, 1, 30, 101]) == [IGNORE, 0, 29, 100]
    with pytest.raises(DataError, match="label id 102"):
        classes(scored, [102])
    assert scored.to_classes(np.array([40], np.uint8), "8-bit files suffice").tolist() == [22]


def test_scannet_classes_have_the_colours_of_the_benchmark():
    colors = class_colors(SCANNET_CLASSES)
    assert colors.shape == (20, 3)
    assert colors[0].tolist() == [174, 199, 232]
    assert colors[19].tolist() == [82, 84, 163]
    assert len(np.unique(class_colors(("a", "b", "c", "d")), axis=0)) == 4
