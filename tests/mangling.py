"""What may befall a file of a scene, as hypothesis strategies."""

from __future__ import annotations

import re

import cv2
import numpy as np
from hypothesis import strategies as st
from mangled_scenes import Damage, Layout
from mangled_texts import VALUES, json_damage, json_places, replaced_tokens, text_pairs, without_line

SIZES = {"transforms": (6, 8), "replica": (24, 32), "scannet": (24, 32)}
# Ids that mean something, be it "unlabelled"; the table of tiny ScanNet scenes ends at 300.
IDS = {"transforms": {0, 1, 2, 255}, "replica": set(range(102)), "scannet": set(range(301))}
BITS = {"depth": {16}, "instance": {8, 16}, "semantic": {8, 16}, ("scannet", "semantic"): {16}}


def damages(scene: Layout) -> st.SearchStrategy[Damage]:
    """One damage to one file, of all kinds of files alike."""
    kinds: dict[str, list[str]] = {}
    for path in sorted(scene.files):
        kinds.setdefault(re.sub(r"\d+", "", path), []).append(path)
    path = st.sampled_from(sorted(kinds)).flatmap(lambda kind: st.sampled_from(kinds[kind]))
    return path.flatmap(lambda path: _damages(scene, path))


def _damages(scene: Layout, path: str) -> st.SearchStrategy[Damage]:
    content = scene.files[path]
    if path.endswith(".json"):
        places, values = json_places(content), st.none() | st.sampled_from(VALUES)
        own = [st.builds(lambda place, value: changed_json(scene, path, place, value), places, values)] * 4
    elif is_text(path):
        texts = [replaced_tokens(content.decode())] * 2 + [without_line(content.decode())]
        own = [text.map(lambda damage: as_good(scene, path, *damage)) for text in texts]
    else:
        own = [st.sampled_from(sorted(PIXEL_FAULTS)).map(lambda fault: reencoded(scene, path, fault))]
    others = sorted(set(scene.files) - {path})
    return st.one_of(
        *own,
        bytes_damages(content).map(lambda damage: by_chance(scene, path, *damage)),
        st.sampled_from(others).map(lambda other: as_good(scene, path, f"as {other}", scene.files[other])),
        st.sampled_from((gone(scene, path), made_folder(path), copied(scene, path))),
    )


def bytes_damages(content: bytes) -> st.SearchStrategy[tuple[str, bytes]]:
    """What disks and networks do to any file. Headers are hit as often as all the rest."""
    last = len(content) - 1
    places = st.integers(0, min(last, 250)) | st.integers(0, last)
    flips = st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=4)
    lengths = st.integers(0, last) | st.integers(max(0, last - 20), last)
    return st.one_of(
        lengths.map(lambda length: (f"cut to {length}", content[:length])),
        flips.map(lambda flips: (f"flipped {flips}", _flipped(content, flips))),
        st.binary(max_size=200).map(lambda other: ("other bytes", other)),
        st.binary(min_size=1, max_size=40).map(lambda more: (f"more {more!r}", content + more)),
    )


def _flipped(content: bytes, flips: list[tuple[int, int]]) -> bytes:
    result = bytearray(content)
    for place, mask in flips:
        result[place] ^= mask
    return bytes(result)


def is_text(path: str) -> bool:
    return path.endswith((".txt", ".tsv", ".json"))


def as_good(scene: Layout, path: str, how: str, content: bytes) -> Damage:
    """Another content, which entitles to changes where it is as good a file as the right one."""
    if is_text(path):
        return Damage(path, how, content, *text_pairs(path, scene.files[path], content))
    fits = _fits(scene.dataset, scene.kind(path), content)
    return Damage(path, how, content, scene.own(path) if fits else frozenset())


def by_chance(scene: Layout, path: str, how: str, content: bytes) -> Damage:
    """Bytes that nobody meant; of images only a png has checksums."""
    if is_text(path):
        return as_good(scene, path, how, content)
    unnoticed = path.endswith(".jpg") and how.startswith("flipped")
    return Damage(path, how, content, scene.own(path) if unnoticed else frozenset())


def changed_json(scene: Layout, path: str, place: tuple, value: str | None) -> Damage:
    return Damage(path, *json_damage(scene.files[path].decode(), place, value))


def reencoded(scene: Layout, path: str, fault: str) -> Damage:
    """The image of another form."""
    pixels = cv2.imdecode(np.frombuffer(scene.files[path], np.uint8), cv2.IMREAD_UNCHANGED)
    return as_good(scene, path, fault, cv2.imencode(".png", PIXEL_FAULTS[fault](pixels))[1].tobytes())


def gone(scene: Layout, path: str) -> Damage:
    return Damage(path, "gone", None, losses=frozenset() if is_text(path) else scene.own(path))


def made_folder(path: str) -> Damage:
    return Damage(path, "a folder", None, folder=True)


def copied(scene: Layout, path: str) -> Damage:
    """There is another file of the same number."""
    return Damage(re.sub(r"(\d+)(\.\w+)$", r"0\1\2", path), "copied", scene.files[path])


PIXEL_FAULTS = {
    "transposed": lambda pixels: np.swapaxes(pixels, 0, 1),
    "twice as large": lambda pixels: pixels.repeat(2, 0).repeat(2, 1),
    "a column short": lambda pixels: pixels[:, :-1],
    "8 bits": lambda pixels: pixels.astype(np.uint8),
    "16 bits": lambda pixels: pixels.astype(np.uint16),
    "one channel": lambda pixels: pixels if pixels.ndim == 2 else pixels[..., 0],
    "three channels": lambda pixels: pixels if pixels.ndim == 3 else np.stack([pixels] * 3, -1),
    "other ids": lambda pixels: pixels + 120,
}


def _fits(dataset: str, kind: str | None, content: bytes) -> bool:
    """Whether this is as good a file of its kind as the right one."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or kind is None:
        return False
    (height, width), bits = SIZES[dataset], 8 * pixels.itemsize
    if kind == "image":
        return pixels.ndim == 3 and bits == 8 and pixels.shape[:2] == (height, width)
    shaped = pixels.ndim == 2 and pixels.shape[0] * width == pixels.shape[1] * height
    known = kind != "semantic" or set(np.unique(pixels).tolist()) <= IDS[dataset]
    return shaped and known and bits in BITS.get((dataset, kind), BITS[kind])


def known_damages(scene: Layout) -> list[Damage]:
    """What once went unnoticed or ended in a traceback; to be tried before what is drawn."""
    return {"transforms": _known_of_transforms, "replica": _known_of_replica, "scannet": _known_of_scannet}[
        scene.dataset
    ](scene)


def _known_of_transforms(scene: Layout) -> list[Damage]:
    depth = "tiny/depth/1.png"
    return [
        as_good(scene, depth, "as another", scene.files["tiny/depth/5.png"]),
        reencoded(scene, depth, "8 bits"),
        *(changed_json(scene, "tiny/transforms.json", place, value) for place, value in KNOWN_CHANGES),
    ]


def _known_of_replica(scene: Layout) -> list[Damage]:
    folder = "office_0/Sequence_1"
    label = scene.files[f"{folder}/semantic_class/semantic_class_1.png"]
    return [
        as_good(scene, f"{folder}/depth/depth_1.png", "as a label", label),
        made_folder(f"{folder}/rgb/rgb_1.png"),
        made_folder(f"{folder}/semantic_instance/semantic_instance_4.png"),
    ]


def _known_of_scannet(scene: Layout) -> list[Damage]:
    camera, table = "scene0000_00/intrinsic/intrinsic_color.txt", "scannetv2-labels.combined.tsv"
    photograph = "scene0000_00/color/1.jpg"
    size = scene.files[photograph].find(b"\xff\xc0") + 5

    def put(path: str, old: bytes, new: bytes) -> Damage:
        return as_good(scene, path, f"{new!r}", scene.files[path].replace(old, new))

    return [
        put(camera, b"0.000000 0.000000 1.000000 0.000000", b"0.000000 0.000000 0.000000 0.000000"),
        put(camera, b"20.000000 0.000000 15", b"20.000000 7.000000 15"),
        put(camera, b"20.000000 0.000000 15", b"1e300 0.000000 15"),
        put(table, b"5\tchair\n", b"5\tchair\n300\twall\t1\twall\n"),
        put(table, b"300\tchair\t5", b"300\tchair\t999"),
        put("scene0000_00/pose/1.txt", b"0.100000", b"1e30"),
        by_chance(
            scene,
            photograph,
            "flipped to 65535x65535 pixels",
            _flipped(scene.files[photograph], [(place, 255) for place in (size, size + 2)]),
        ),
        reencoded(scene, "scene0000_00/depth/1.png", "8 bits"),
        made_folder("scene0000_00/label-filt/3.png"),
        put(table, b"\twall\n300\tchair\t5\tchair", b""),
    ]


KNOWN_CHANGES = (
    (("fl_x",), "1e300"),
    (("fl_x",), "1" + "0" * 400),
    (("w",), "1e300"),
    (("near",), "1e-320"),
    (("ignore_label",), "70000"),
    (("depth_unit_scale_factor",), "1e300"),
    (("frames", 1), "[" * 100_000 + "]" * 100_000),
    (("frames", 1, "file_path"), '"a\\nb"'),
    (("frames", 1, "file_path"), '"' + "x" * 5000 + '"'),
    (("frames", 1, "depth_file_path"), '"depth/2.png"'),
    (("frames", 1, "transform_matrix", 0, 3), "1" + "0" * 400),
    (("frames", 1, "transform_matrix", 0, 3), "1e30"),
    (("semantic_classes", 2), None),
)
