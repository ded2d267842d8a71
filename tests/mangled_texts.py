"""What may befall the text files of a scene, and what of it nobody can tell from another good file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st

Pairs = frozenset[tuple[str, str]]
EVERY = "every frame"
NOTHING: Pairs = frozenset()
# "range": near and far.
RANGE = ("range", EVERY)
ALL = frozenset((kind, EVERY) for kind in ("image", "depth", "semantic", "instance", "camera", "range"))

TOKENS = (
    "inf", "-inf", "nan", "1e400", "9" * 400, "9" * 5000, str(2**63), "1e30", "-1", "0", "1", "2", "1e-30",
    "1.5", "x", "", "ä", "\u0663", "\u2028", '"', "\x00", "0x1", "1_0", "1,5", "65536", "41",
)  # fmt: skip
# As they stand in the file: some are more than a JSON library would write.
VALUES = (
    "null", "true", "false", "0", "-1", "0.5", "1", "2", "300", "-70000", "70000", "1e-320", "1e30", "1e300",
    "1e400", "-Infinity", "NaN", str(2**63), "1" + "0" * 400, "9" * 5000, '""', '"x"', '"1"', '"."', '".."',
    '"/"', '"a\\nb"', '"\\u0000"', '"\\ud800"', '"ä"', '"' + "x" * 5000 + '"', "[]", "{}", "[[]]", "[1, 2]",
    '{"a": 1}', "[" * 100_000 + "]" * 100_000, "[" * 700 + "]" * 700,
)  # fmt: skip
# Keys that the format knows and the tiny scene lacks, and some that it has.
KEYS = (
    "fl_x", "fl_y", "cx", "w", "h", "near", "far", "k2", "p1", "camera_angle_x", "camera_model", "is_fisheye",
    "depth_unit_scale_factor", "ignore_label", "instance_path", "semantic_classes", "frames",
)  # fmt: skip
CAMERA_KEYS = {"fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "camera_angle_x"}
MAP_KEYS = {"depth_file_path": "depth", "semantic_path": "semantic"}
PLACE = "@here@"


def text_pairs(path: str, before: bytes, after: bytes) -> tuple[Pairs, Pairs]:
    """What may change and what may be gone where a text file has another content."""
    if path.endswith(".json"):
        return (ALL, ALL) if _is_json(after) else (NOTHING, NOTHING)
    if path.endswith(".tsv"):
        return (frozenset({("semantic", EVERY)}) if _is_label_map(after) else NOTHING), NOTHING
    rows, good = _numbers(after), _numbers(before)
    if rows is None:
        return NOTHING, NOTHING
    if "intrinsic" in path:
        return (frozenset({("camera", EVERY)}) if _is_intrinsics(rows) else NOTHING), NOTHING
    if "traj" in path:
        pairs = enumerate(zip(rows, good, strict=False))
        return frozenset(("camera", str(n)) for n, (a, b) in pairs if a != b and _is_pose([a])), NOTHING
    frame = re.search(r"(\d+)\.", path)[1]
    lost = [len(row) for row in rows] == [4] * 4 and not np.isfinite(rows).all()
    return (
        frozenset({("camera", frame)} if _is_pose(rows) else ()),
        frozenset({("image", frame)} if lost else ()),
    )


def _numbers(content: bytes) -> list[list[float]] | None:
    try:
        return [
            [float(word) for word in line.split()] for line in content.decode().splitlines() if line.strip()
        ]
    except ValueError:
        return None


def _is_pose(rows: list[list[float]]) -> bool:
    """Near enough to a rotation and a translation of a size that float32 can tell."""
    values = [value for row in rows for value in row]
    if len(values) != 16 or not np.isfinite(values).all() or max(map(abs, values)) > 1e5:
        return False
    pose = np.reshape(values, (4, 4))
    rotation = pose[:3, :3]
    rigid = abs(rotation.T @ rotation - np.eye(3)).max() < 1.1e-3 and np.linalg.det(rotation) > 0
    return bool(rigid and abs(pose[3] - [0, 0, 0, 1]).max() < 1.1e-3)


def _is_intrinsics(rows: list[list[float]]) -> bool:
    """A plausible camera of 32x24 pixels without skew."""
    if [len(row) for row in rows] != [4] * 4:
        return False
    (fx, skew, cx), (other, fy, cy), last = (row[:3] for row in rows[:3])
    plausible = 1 < fx < 2000 and 1 < fy < 2000 and 8 < cx < 24 and 6 < cy < 18
    return plausible and [skew, other, *last] == [0, 0, 0, 0, 1]


def _is_label_map(content: bytes) -> bool:
    """A table in which every id has one class of nyu40 or none."""
    try:
        header, *rows = [line.split("\t") for line in re.split(r"\r\n|\r|\n", content.decode()) if line]
        table = [(int(row[header.index("id")]), row[header.index("nyu40id")]) for row in rows]
        classes = [int(name) for _, name in table if name != ""]
    except (ValueError, IndexError):
        return False
    ids = [number for number, _ in table]
    return len(set(ids)) == len(ids) and all(0 <= number <= 40 for number in classes)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def replaced_tokens(text: str) -> st.SearchStrategy[tuple[str, bytes]]:
    """One word replaced, or scaled, or two swapped."""
    parts = re.split(r"([ \t\n]+)", text)
    words = [place for place in range(0, len(parts), 2) if parts[place]]

    def put(place: int, word: str) -> tuple[str, bytes]:
        return f"word {place // 2} is {word[:20]}", "".join(
            [*parts[:place], word, *parts[place + 1 :]]
        ).encode()

    def swap(pair: tuple[int, int]) -> tuple[str, bytes]:
        swapped = list(parts)
        swapped[pair[0]], swapped[pair[1]] = parts[pair[1]], parts[pair[0]]
        return f"words {pair[0] // 2} and {pair[1] // 2} swapped", "".join(swapped).encode()

    place = st.sampled_from(words)
    return st.one_of(
        st.builds(put, place, st.sampled_from(TOKENS)),
        st.tuples(place, place).map(swap),
        st.sampled_from(("0.01", "2", "-1")).map(lambda factor: ("scaled", _scaled(text, factor))),
    )


def _scaled(text: str, factor: str) -> bytes:
    """All numbers that are neither 0 nor words times a factor: poses in centimetres, or mirrored."""
    number = re.compile(r"(?<![\w.])[1-9]\d*\.\d+|0\.\d*[1-9]\d*")
    return number.sub(lambda match: repr(float(match[0]) * float(factor)), text).encode()


def without_line(text: str) -> st.SearchStrategy[tuple[str, bytes]]:
    """A line gone or there twice, or a column gone, or two columns swapped."""
    lines = text.splitlines()
    cells = [re.split(r"[ \t]", line) for line in lines]
    joint = "\t" if "\t" in text else " "
    columns = st.integers(0, len(cells[0]) - 1)

    def rebuilt(how: str, rows: list[list[str]]) -> tuple[str, bytes]:
        return how, "".join(joint.join(row) + "\n" for row in rows).encode()

    def swapped(pair: tuple[int, int, int]) -> tuple[str, bytes]:
        first, second, start = pair
        rows = [list(row) for row in cells]
        for row in rows[start:]:
            row[first], row[second] = row[second], row[first]
        return rebuilt(f"columns {first}, {second} swapped from row {start} on", rows)

    row = st.integers(0, len(lines) - 1)
    return st.one_of(
        row.map(lambda n: rebuilt(f"without row {n}", cells[:n] + cells[n + 1 :])),
        row.map(lambda n: rebuilt(f"row {n} twice", cells[: n + 1] + cells[n:])),
        columns.map(lambda n: rebuilt(f"without column {n}", [r[:n] + r[n + 1 :] for r in cells])),
        st.tuples(columns, columns, st.sampled_from((0, 1))).map(swapped),
    )


def json_places(content: bytes) -> st.SearchStrategy[tuple]:
    """Paths of keys and indices: to a value of the file, or to a key of the format that it lacks."""
    added = [(*parent, key) for parent in ((), ("frames", 0), ("frames", 3)) for key in KEYS]
    return st.sampled_from(list(_places(json.loads(content)))) | st.sampled_from(added)


def _places(values: object, place: tuple = ()) -> Iterator[tuple]:
    """The paths of keys and indices to all values inside."""
    items = (
        values.items() if isinstance(values, dict) else enumerate(values if isinstance(values, list) else ())
    )
    for key, value in items:
        yield (*place, key)
        yield from _places(value, (*place, key))


def json_damage(text: str, place: tuple, value: str | None) -> tuple[str, bytes, Pairs, Pairs]:
    """A value replaced or (None) removed: how, content, changes, losses."""
    top = json.loads(text)
    parent = top
    for key in place[:-1]:
        parent = parent[key]
    if value is not None:
        parent[place[-1]] = PLACE
    elif isinstance(parent, list) or place[-1] in parent:
        del parent[place[-1]]
    content = json.dumps(top).replace(json.dumps(PLACE), value or "").encode()
    how = f"{'.'.join(map(str, place))} is {'gone' if value is None else value[:20]}"
    return how, content, *_json_pairs(place, value)


def _json_pairs(place: tuple, value: str | None) -> tuple[Pairs, Pairs]:
    frame = str(place[1]) if len(place) > 1 and place[0] == "frames" else EVERY
    names = set(place)
    if value in (None, "null") and place[-1] in MAP_KEYS:
        return frozenset({RANGE}), frozenset({(MAP_KEYS[place[-1]], frame)})
    if value is None and place[:1] == ("frames",) and len(place) == 2:
        return frozenset({RANGE}), frozenset({("image", frame)})
    if names & CAMERA_KEYS:
        return frozenset((kind, frame) for kind, _ in ALL), NOTHING
    for key, kind in (
        ("transform_matrix", "camera"),
        ("depth_unit_scale_factor", "depth"),
        ("near", "range"),
        ("far", "range"),
        ("ignore_label", "semantic"),
    ):
        if key in names:
            return frozenset({(kind, frame), RANGE} if kind == "depth" else {(kind, frame)}), NOTHING
    return NOTHING, NOTHING
