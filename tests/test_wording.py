"""Lists in sentences are cut, and say by how much."""

import pytest

from gpnerf.system.wording import some


@pytest.mark.parametrize(
    ("things", "most", "text"),
    [
        ([], 2, ""),
        ([7, 8], 2, "7, 8"),
        (iter("abcd"), 2, "a, b and 2 more"),
        (range(11), 10, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 1 more"),
    ],
)
def test_a_list_is_cut_behind_the_first_few(things, most, text):
    assert some(things, most) == text
