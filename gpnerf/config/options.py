"""Every option once, grouped by who reads it. Options come from the command line and from --config files.

A config file holds lines `option = value`, and `include = FILE` for what it shares with another, whose lines
it overrules; the command line wins over all. The resolved options are written beside
the checkpoints of a run, and that file can be passed to --config again.
"""

from __future__ import annotations

import difflib
import sys
from argparse import ArgumentDefaultsHelpFormatter, Namespace
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from gpnerf.config.types import (
    WHEN,
    ConfigFileParser,
    Parser,
    amount,
    count,
    frames,
    integers,
    names,
    positive,
    table_numbers,
    yes_or_no,
)
from gpnerf.datasets.layouts import LABEL_SPACES
from gpnerf.datasets.views import METRICS, SPLIT_BY, FrameRule
from gpnerf.geometry.sampling import SPACINGS
from gpnerf.methods.gpnerf.build import Architecture
from gpnerf.methods.gpnerf.extractor import SMALLEST_IMAGE
from gpnerf.methods.gpnerf.losses import LossWeights
from gpnerf.methods.gpnerf.model import GRADIENT_BLOCKS
from gpnerf.methods.gpnerf.perception_head import COMBINATIONS, HEADS, NORMS
from gpnerf.system.errors import ConfigError
from gpnerf.system.files import write_whole
from gpnerf.training.step import LearningRates

T = TypeVar("T")
DATASETS = ("rooms", "transforms", "replica", "scannet")
TARGETS = ("semantic", "instance")
MATCHINGS = ("fixed", "hungarian")
PROTOCOLS = ("paper", "released")


def build_parser(description: str) -> Parser:
    """The parser that train.py, eval.py and render.py share."""
    parser = Parser(
        description=description,
        formatter_class=ArgumentDefaultsHelpFormatter,
        config_file_parser_class=ConfigFileParser,
        allow_abbrev=False,
    )
    parser.add_argument("--config", is_config_file=True, help="file of options, e.g. configs/rooms.txt")
    parser.add_argument(
        "--variant", is_config_file=True, help="file of options that win over those of --config"
    )
    for add_group in (_run, _place, add_data_options, _model, _losses, _train, _eval, _render):
        add_group(parser)
    return parser


def _run(parser: Parser) -> None:
    add = parser.add_argument_group("run (all scripts)").add_argument
    add("--expname", default="gpnerf", help="name of the run")
    add("--out", default="out", help="folder of all runs; this one writes to OUT/EXPNAME")
    add("--seed", type=count, default=0, help="of initial weights, examples, pixels and depths")
    add("--device", default="auto", help="auto (CUDA if there is one), cpu, cuda, cuda:1, ...")
    add(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="of the network (geometry, losses: float32). auto: bfloat16 on a GPU that has it, and on a CPU "
        "where a short timing finds it faster",
    )
    add(
        "--compile",
        choices=WHEN,
        default="auto",
        help="layers by torch.compile: faster after up to a minute. auto: if the run is long enough and a "
        "timing finds them faster; not for training on a CPU, which gains nothing",
    )
    add(
        "--deterministic",
        choices=WHEN,
        default="auto",
        help="sums in one order, so that equal runs give equal numbers, bit for bit. auto: on a CPU, where "
        "it costs little; on a GPU it is slower, and a few operations have no such order",
    )


def _place(parser: Parser) -> None:
    add = parser.add_argument_group("data set (all scripts)").add_argument
    add("--dataset", choices=DATASETS, default="transforms", help="kind of scenes")
    add("--data_root", default="data", help="folder that holds the scene folders")
    add("--views_per_room", type=positive, default=24, help="rooms: how many photographs of each")


def add_data_options(parser: Parser) -> None:
    """Which scenes and frames of a data set are used, and how they are read."""
    add = parser.add_argument_group("scenes and frames (all scripts)").add_argument
    rule = FrameRule()
    add(
        "--train_scenes",
        type=names,
        default=(),
        help="a,b,c or a file of names, one a line; for rooms seeds such as 0-23",
    )
    add("--test_scenes", type=names, default=(), help="likewise; also the scenes that are rendered")
    add(
        "--label_space",
        choices=LABEL_SPACES,
        default="benchmark",
        help="ScanNet: the 20 scored classes or nyu40; Replica: 51 or 101",
    )
    add(
        "--target",
        choices=TARGETS,
        default="semantic",
        help="what the head tells apart: classes, or the objects of the one scene trained on",
    )
    add("--border", type=count, default=0, help="pixels cut off each side of the stored images")
    add("--height", type=positive, default=None, help="images are resized to this height, pixels")
    add(
        "--width",
        type=positive,
        default=None,
        help="and to this width; where one of the two is not given, images keep their shape",
    )
    add("--longer_side", type=positive, default=320, help="of images, where neither is given, pixels")
    for side, kind in (("near", "nearest"), ("far", "farthest")):
        add(
            f"--{side}",
            type=amount,
            default=None,
            help=f"{kind} depth in the units of the poses (default: as the data set says or shows)",
        )
    add("--num_source_views", type=positive, default=10, help="V, reference views per target (Sec. 5.1)")
    add("--view_metric", choices=METRICS, default="distance", help="how near two cameras are")
    add(
        "--split_by",
        choices=SPLIT_BY,
        default=rule.split_by,
        help="stated: the data set's own split, where it states one, goes before the next options",
    )
    add("--test_frames", type=frames, default=rule.test_frames, help="of a test scene, START:STOP:STEP")
    add("--test_limit", type=positive, default=rule.test_limit, help="only the first so many of them")
    add(
        "--source_frames",
        type=frames,
        default=rule.source_frames,
        help="of a test scene: frames that test views may be rendered from",
    )
    add(
        "--train_frames",
        type=frames,
        default=rule.train_frames,
        help="of a test scene that is also trained on (default: its source frames)",
    )
    add(
        "--held_out",
        type=yes_or_no,
        default=rule.held_out,
        help="no: test frames may be sources and trained on, as in the released code",
    )


def _model(parser: Parser) -> None:
    add = parser.add_argument_group("model (train.py; stored in the checkpoint)").add_argument
    sizes = Architecture()
    add("--encoder_width", type=positive, default=sizes.encoder_width, help="channels of the ResNet's stem")
    add("--encoder_blocks", type=integers, default=sizes.encoder_blocks, help="blocks of its three stages")
    add("--color_features", type=positive, default=sizes.color_features, help="low-level features per view")
    add("--level_width", type=positive, default=sizes.level_width, help="D / 4, channels of a pyramid level")
    add("--transformer_width", type=positive, default=sizes.transformer_width, help="C, channels")
    add("--layers", type=positive, default=sizes.layers, help="of each transformer")
    add("--heads", type=positive, default=sizes.heads, help="of the Ray Aggregation Transformer")
    add("--frequencies", type=positive, default=sizes.frequencies, help="of the positional encoding")
    add("--dropout", type=amount, default=sizes.dropout, help="in the transformers")
    add("--samples", type=positive, default=sizes.samples, help="per ray in the coarse pass")
    add(
        "--fine_samples",
        type=count,
        default=sizes.fine_samples,
        help="added in the fine pass; 0: no such pass",
    )
    add("--spacing", choices=SPACINGS, default=sizes.spacing, help="coarse samples even in 1/z or in z")
    add(
        "--head", choices=HEADS, default=sizes.head, help="the paper's, one without context, the released one"
    )
    add("--head_combination", choices=COMBINATIONS, default=sizes.head_combination, help="text or Eq. 3")
    add("--head_norm", choices=NORMS, default=sizes.head_norm, help="normalisation in the perception head")
    add(
        "--joint_attention",
        type=yes_or_no,
        default=sizes.joint_attention,
        help="no: semantic gradients stop at the attention weights (Table 4 ID 1)",
    )
    add(
        "--gradient_block",
        choices=GRADIENT_BLOCKS,
        default=sizes.gradient_block,
        help="distillation does not train the extractor; or only not by semantic features; or does (ID 3)",
    )
    add(
        "--detach_decoder",
        type=yes_or_no,
        default=sizes.detach_decoder,
        help="yes: the colour loss never reaches the deepest stage, as in the released code",
    )
    add(
        "--recompute",
        type=yes_or_no,
        default=sizes.recompute,
        help="yes: less memory in training: rays are rendered again for the gradient, some at a time",
    )


def _losses(parser: Parser) -> None:
    add = parser.add_argument_group("losses (train.py), Eq. 8; 0 switches one off").add_argument
    weights = LossWeights()
    add("--weight_photometric", type=amount, default=weights.photometric, help="alpha_1")
    add("--weight_semantic", type=amount, default=weights.semantic, help="alpha_2")
    add("--weight_distill", type=amount, default=weights.distill, help="alpha_3")
    add("--weight_depth_guided", type=amount, default=weights.depth_guided, help="alpha_4")


def _train(parser: Parser) -> None:
    add = parser.add_argument_group("training (train.py)").add_argument
    rates = LearningRates()
    add("--steps", type=positive, default=200_000, help="length of the training")
    add("--num_rays", type=positive, default=512, help="rays per target view")
    add("--accumulate", type=positive, default=1, help="target views per step and process")
    add(
        "--instance_matching",
        choices=MATCHINGS,
        default="fixed",
        help="hungarian: for instance ids that do not mean the same in all views",
    )
    add(
        "--slots",
        type=positive,
        default=None,
        help="hungarian: outputs of the head (default: as ids in a view)",
    )
    add("--lr_extractor", type=amount, default=rates.extractor, help="learning rate, pyramid included")
    add("--lr_transformer", type=amount, default=rates.transformer, help="learning rate")
    add("--lr_head", type=amount, default=rates.head, help="learning rate of the perception head")
    add("--decay_rate", type=amount, default=rates.decay_rate, help="factor of the rates per decay_steps")
    add("--decay_steps", type=positive, default=rates.decay_steps, help="steps")
    add("--warmup_steps", type=count, default=rates.warmup_steps, help="steps of linear warm-up")
    add("--clip_gradient", type=amount, default=0.0, help="longest gradient of a step; 0: any")
    add(
        "--load_weights",
        default=None,
        help="checkpoint, or folder of a run, whose weights to start from (finetuning)",
    )
    add("--workers", type=count, default=2, help="processes that read images; 0: none")
    add("--log_every", type=positive, default=50, help="steps between TensorBoard scalars")
    add("--picture_every", type=positive, default=5_000, help="steps between pictures of a held-out view")
    add("--checkpoint_every", type=positive, default=1_000, help="steps between checkpoints")
    add("--milestone_every", type=count, default=50_000, help="steps between those that stay; 0: none")
    add(
        "--max_hours",
        type=amount,
        default=None,
        help="save and stop after this time; the same command goes on",
    )


def _eval(parser: Parser) -> None:
    add = parser.add_argument_group("evaluation and rendering (eval.py, render.py)").add_argument
    add("--checkpoint", default=None, help="file to use (default: the run's latest)")
    add(
        "--chunk_size",
        type=positive,
        default=None,
        help="rays at a time; bounds the memory (default: by device and its memory)",
    )
    add("--stride", type=positive, default=1, help="render every so many rows and columns (quicker preview)")
    add(
        "--segment",
        choices=("rendered", "target"),
        default="rendered",
        help="eval.py: what the head sees; target: features of the true image (red curve of Fig. 8)",
    )
    add(
        "--protocol",
        choices=PROTOCOLS,
        default="paper",
        help="eval.py: released repeats the frames and sources of the released code, leaks and all",
    )
    add(
        "--table", type=table_numbers, default=(), help="eval.py: the paper's tables to write, 1,2,3,4 or all"
    )
    add("--lpips", type=yes_or_no, default=True, help="measure LPIPS if its weights are on this machine")


def _render(parser: Parser) -> None:
    add = parser.add_argument_group("video (render.py)").add_argument
    add("--path", choices=("interpolate", "orbit"), default="interpolate", help="camera path")
    add("--frames", type=positive, default=120, help="frames of the video")
    add("--fps", type=positive, default=24, help="frames per second")
    add("--render_scene", default=None, help="scene to render (default: the first test scene)")


def parse_options(description: str, arguments: Sequence[str] | None = None) -> Namespace:
    """Options of a script. Raises ConfigError for unknown ones, wrong types and contradictions."""
    parser = build_parser(description)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise ConfigError(_describe_unknown(parser, unknown[0], options.config))
    if options.near is not None and options.far is not None and not 0 < options.near < options.far:
        raise ConfigError(
            f"Expected 0 < near < far, found --near {options.near:g} --far {options.far:g}; correct one."
        )
    _let_shape_follow(options, sys.argv[1:] if arguments is None else arguments)
    check_size(options.height, options.width)
    if options.dropout >= 1:
        raise ConfigError(f"Expected --dropout below 1, found {options.dropout:g}; lower it.")
    return options


def _let_shape_follow(options: Namespace, arguments: Sequence[str]) -> None:
    """A height alone on the command line, or a width, stands alone: it takes no width from a config file."""
    given = {name for name in ("height", "width") for word in arguments if word.split("=")[0] == f"--{name}"}
    if given == {"height"}:
        options.width = None
    elif given == {"width"}:
        options.height = None


def check_size(height: int | None, width: int | None) -> None:
    """Raises ConfigError for a side that is too small for the network; None is not known yet."""
    if min(side for side in (height, width, SMALLEST_IMAGE) if side is not None) < SMALLEST_IMAGE:
        raise ConfigError(
            f"Expected --height and --width of at least {SMALLEST_IMAGE} pixels, which the network needs, "
            f"found {height or 'none'} and {width or 'none'}; raise them."
        )


def _describe_unknown(parser: Parser, unknown: str, config: str | None) -> str:
    name = unknown.split("=")[0]
    known = [option for action in parser._actions for option in action.option_strings]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "see --help for all options."
    where = f" (on the command line or in {config})" if config else ""
    return f"Unknown option {name}{where}; {hint}"


def from_options(kind: type[T], options: Namespace, prefix: str = "", **given: Any) -> T:
    """A dataclass filled from the options called `prefix` + field, or else like the field; or as `given`."""
    values = vars(options)
    found = {
        field.name: values[prefix + field.name] if prefix + field.name in values else values[field.name]
        for field in fields(kind)
        if field.name not in given
    }
    return kind(**found, **given)


def write_options(options: Namespace, folder: Path) -> None:
    """Writes the resolved options to folder/config.txt in the format that --config reads."""
    lines = []
    for name, value in sorted(vars(options).items()):
        if name in ("config", "variant") or value is None or value == ():
            continue
        if isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, tuple):
            value = ",".join(map(str, value))
        lines.append(f"{name} = {value}\n")
    write_whole(folder / "config.txt", "".join(lines))
