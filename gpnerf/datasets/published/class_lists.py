"""Class lists of the benchmarks: names, ids and colours as their authors fixed them.

ScanNet: the 40 classes of nyu40, and the 20 that its benchmark scores, with the benchmark's colours.
Replica: the 101 classes of the release, and the 51 that Semantic-Ray and GP-NeRF score.
"""

from __future__ import annotations

# nyu40 id 1, 2, ..., 40.
NYU40_CLASSES = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf",
    "picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat",
    "clothes", "ceiling", "books", "refrigerator", "television", "paper", "towel", "shower curtain", "box",
    "whiteboard", "person", "night stand", "toilet", "sink", "lamp", "bathtub", "bag", "other structure",
    "other furniture", "other prop",
)  # fmt: skip

SCANNET_NYU40_IDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)
SCANNET_CLASSES = tuple(NYU40_CLASSES[number - 1] for number in SCANNET_NYU40_IDS)
SCANNET_COLORS = (
    (174, 199, 232), (152, 223, 138), (31, 119, 180), (255, 187, 120), (188, 189, 34),
    (140, 86, 75), (255, 152, 150), (214, 39, 40), (197, 176, 213), (148, 103, 189),
    (196, 156, 148), (23, 190, 207), (247, 182, 210), (219, 219, 141), (255, 127, 14),
    (158, 218, 229), (44, 160, 44), (112, 128, 144), (227, 119, 194), (82, 84, 163),
)  # fmt: skip

# Replica id 1, 2, ..., 101; 0 is void.
REPLICA_CLASSES = (
    "backpack", "base-cabinet", "basket", "bathtub", "beam", "beanbag", "bed", "bench", "bike", "bin",
    "blanket", "blinds", "book", "bottle", "box", "bowl", "camera", "cabinet", "candle", "chair",
    "chopping-board", "clock", "cloth", "clothing", "coaster", "comforter", "computer-keyboard", "cup",
    "cushion", "curtain", "ceiling", "cooktop", "countertop", "desk", "desk-organizer",
    "desktop-computer", "door", "exercise-ball", "faucet", "floor", "handbag", "hair-dryer", "handrail",
    "indoor-plant", "knife-block", "kitchen-utensil", "lamp", "laptop", "major-appliance", "mat",
    "microwave", "monitor", "mouse", "nightstand", "pan", "panel", "paper-towel", "phone", "picture",
    "pillar", "pillow", "pipe", "plant-stand", "plate", "pot", "rack", "refrigerator", "remote-control",
    "scarf", "sculpture", "shelf", "shoe", "shower-stall", "sink", "small-appliance", "sofa", "stair",
    "stool", "switch", "table", "table-runner", "tablet", "tissue-paper", "toilet", "toothbrush", "towel",
    "tv-screen", "tv-stand", "umbrella", "utensil-holder", "vase", "vent", "wall", "wall-cabinet",
    "wall-plug", "wardrobe", "window", "rug", "logo", "bag", "set-of-clothing",
)  # fmt: skip

REPLICA_SCORED_IDS = (
    3, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 26, 29, 31, 34, 35, 37, 40, 44, 47, 52,
    54, 56, 59, 60, 61, 62, 63, 64, 65, 70, 71, 76, 78, 79, 80, 82, 83, 87, 88, 91, 92, 93, 95, 97, 98,
)  # fmt: skip
