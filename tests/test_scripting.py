"""Run folders: made by many at once, left as they were."""

from concurrent.futures import ThreadPoolExecutor

from gpnerf.system.scripting import make_folder


def test_many_may_make_the_same_folder_at_once(tmp_path):
    folder = tmp_path / "out" / "run"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make_folder(folder), range(400)))
    assert set(made) == {folder} and list(folder.iterdir()) == []
