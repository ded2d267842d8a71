"""The numbers that the paper prints in Tables 1 to 4 (CVPR 2024, Sec. 5), and those of GSNeRF's scenes."""

from __future__ import annotations

# Table 1, percent: total accuracy, average accuracy, mIoU.
TABLE_1 = {
    ("MVSNeRF + Semantic Head", "generalized"): {
        "replica": (54.25, 33.70, 23.41),
        "scannet": (60.01, 46.01, 39.82),
    },
    ("NeuRay + Semantic Head", "generalized"): {
        "replica": (69.35, 43.97, 35.90),
        "scannet": (77.61, 57.12, 51.03),
    },
    ("Semantic-Ray", "generalized"): {"replica": (70.51, 47.19, 41.59), "scannet": (78.24, 62.55, 57.15)},
    ("GP-NeRF", "generalized"): {"replica": (78.01, 50.80, 48.53), "scannet": (78.49, 70.75, 59.92)},
    ("Semantic-NeRF", "per scene"): {"replica": (94.36, 70.20, 75.06), "scannet": (97.54, 93.89, 91.24)},
    ("MVSNeRF + Semantic Head", "finetuned"): {
        "replica": (79.48, 62.85, 53.77),
        "scannet": (76.25, 69.70, 55.26),
    },
    ("NeuRay + Semantic Head", "finetuned"): {
        "replica": (85.54, 70.05, 63.73),
        "scannet": (91.56, 81.04, 77.48),
    },
    ("Semantic-Ray", "finetuned"): {"replica": (96.38, 80.81, 75.96), "scannet": (98.20, 93.97, 91.06)},
    ("GP-NeRF", "finetuned"): {"replica": (97.60, 86.45, 87.72), "scannet": (98.43, 94.77, 93.84)},
}

# Table 2, AP at 0.75 in percent, per scene of Replica.
TABLE_2_METHODS = ("Mask R-CNN", "Swin-T", "DM-NeRF", "GP-NeRF")
# Those of them that label the photograph of a test view.
DETECTORS = TABLE_2_METHODS[:2]
TABLE_2 = {
    "office_0": (74.05, 80.17, 82.71, 90.46),
    "office_2": (73.41, 75.39, 81.12, 88.62),
    "office_3": (72.91, 73.26, 76.30, 82.64),
    "office_4": (74.76, 72.51, 70.33, 88.38),
    "room_0": (78.67, 76.90, 79.83, 89.91),
    "room_1": (78.38, 81.41, 92.11, 93.38),
    "room_2": (77.58, 80.33, 84.78, 93.11),
}
TABLE_2_AVERAGE = (75.68, 77.14, 81.03, 89.50)

# Table 3, ScanNet: PSNR, SSIM, LPIPS. The rows that the paper takes from Semantic-Ray define SSIM otherwise.
TABLE_3 = {
    ("Semantic-NeRF", "per scene"): (25.07, 0.797, 0.196),
    ("MVSNeRF", "generalized"): (23.84, 0.733, 0.267),
    ("NeuRay", "generalized"): (27.22, 0.840, 0.138),
    ("Semantic-Ray", "generalized"): (26.57, 0.832, 0.173),
    ("Semantic-Ray", "finetuned"): (29.27, 0.865, 0.127),
    ("GNT", "generalized"): (28.96, 0.909, 0.135),
    ("GNT", "finetuned"): (29.55, 0.917, 0.102),
    ("GP-NeRF", "generalized"): (29.37, 0.919, 0.110),
    ("GP-NeRF", "finetuned"): (29.60, 0.923, 0.102),
}

# Table 4, ScanNet: mIoU in percent, PSNR in dB. Each ID has a part more: 2 the joint attention, 3 the 2D
# distillation, 4 the gradient block, 5 the depth-guided distillation.
TABLE_4 = {
    ("ID 1", "generalized"): (56.45, 29.06),
    ("ID 2", "generalized"): (57.19, 29.30),
    ("ID 3", "generalized"): (52.03, 29.29),
    ("ID 4", "generalized"): (59.55, 29.26),
    ("ID 5", "generalized"): (59.92, 29.37),
}

# GSNeRF's scenes: mIoU in percent and PSNR in dB as GSNeRF (CVPR 2024) and RT-GS2 print them, by method and
# by what it sees of true depth in training, then by setting and data set. The Semantic-Ray row to compare a
# method with is that of the same depth.
TRUE_DEPTH, NO_DEPTH = "true depth", "no depth"
GSNERF_TABLE = {
    ("Semantic-Ray", TRUE_DEPTH): {
        "generalized": {"scannet": (55.53, 25.19), "replica": (45.30, 26.38)},
        "finetuned": {"scannet": (92.4, 27.67)},
    },
    ("GeoNeRF + head", TRUE_DEPTH): {
        "generalized": {"scannet": (53.78, 32.55), "replica": (45.12, 28.70)},
    },
    ("GSNeRF", TRUE_DEPTH): {
        "generalized": {"scannet": (58.30, 31.33), "replica": (51.52, 31.16)},
        "finetuned": {"scannet": (93.9, 31.70)},
    },
    ("Semantic-Ray", NO_DEPTH): {
        "generalized": {"scannet": (47.69, 25.13), "replica": (43.27, 26.77)},
        "finetuned": {"scannet": (91.6, 27.31), "replica": (84.12, None)},
    },
    ("GNT + head", NO_DEPTH): {
        "generalized": {"scannet": (43.49, 24.39), "replica": (38.14, 24.56)},
    },
    ("GSNeRF", NO_DEPTH): {
        "generalized": {"scannet": (52.21, 31.49), "replica": (51.23, 31.71)},
        "finetuned": {"scannet": (93.2, 30.89)},
    },
    ("RT-GS2 (splats fitted to each scene first)", NO_DEPTH): {
        "generalized": {"scannet": (53.27, 27.27), "replica": (59.24, 36.02)},
        "finetuned": {"scannet": (96.94, 27.27), "replica": (93.75, None)},
    },
}
