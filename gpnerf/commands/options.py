"""All options of train.py, eval.py and render.py.

The scripts share config files, so each script accepts all options; its --help shows those that it reads.
"""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from collections.abc import Sequence

from gpnerf.commands.unknown_options import describe_unknown
from gpnerf.commands.unused_options import unused_options
from gpnerf.commands.video_options import VIDEO, add_video_options
from gpnerf.config.fields import add_options
from gpnerf.config.parser import Parser, config_parser, options_in, words_of
from gpnerf.config.types import WHEN, amount, count, positive, some_of, table_numbers, yes_or_no
from gpnerf.datasets.options import FRAMES, PLACE, add_data_options, add_place_options
from gpnerf.datasets.variation import KINDS
from gpnerf.evaluation.protocols import PAPER, PROTOCOLS
from gpnerf.methods.method import RENDERED, SEGMENTED, Method
from gpnerf.methods.registry import METHODS, method_class
from gpnerf.rendering.view import GUIDE
from gpnerf.system.errors import ConfigError
from gpnerf.training.schedule import Schedule
from gpnerf.training.updater import StepOptions

log = logging.getLogger(__name__)

DEFAULT_METHOD = "gpnerf"
RUN, TRAINING, RENDERING = "run", "training", "rendering"
SIZES, FUNCTION, RECIPE = (f"method: {part}" for part in ("sizes", "function", "recipe"))
EVALUATION = "evaluation"
ALWAYS = ("options", RUN, PLACE, FRAMES)
# The groups that each script reads in addition to ALWAYS.
READ = {
    "train": (SIZES, FUNCTION, RECIPE, TRAINING),
    "eval": (RENDERING, EVALUATION),
    "render": (RENDERING, VIDEO),
}


def build_parser(description: str, method: type[Method]) -> Parser:
    """The parser that train.py, eval.py and render.py share, with the options of one method."""
    parser = config_parser(description)
    for add_group in (_run, add_place_options, add_data_options):
        add_group(parser)
    add_options(parser, SIZES, method.Sizes)
    add_options(parser, FUNCTION, method.Function)
    add_options(parser, RECIPE, method.Recipe)
    for add_group in (_training, _rendering, _evaluation, add_video_options):
        add_group(parser)
    parser.set_defaults(**method.defaults)
    return parser


def names_read(method: type[Method], script: str) -> set[str]:
    """The names of the options that a script reads, with those of the method."""
    return build_parser("", method).names_in((*ALWAYS, *READ[script]))


def parse_options(
    description: str, arguments: Sequence[str] | None = None, script: str | None = None
) -> Namespace:
    """Parses the options of a script; raises ConfigError for unknown, malformed or contradictory ones.

    script: "train", "eval" or "render", which then says what it does not use of the command line; None: the
    options are parsed for their values alone.
    """
    words = words_of(arguments)
    _check_files(words)
    method = _method(words)
    parser = build_parser(description, method)
    read = (*ALWAYS, *READ[script]) if script else ()
    if script:
        parser.show_only(read)
    options, unknown = parser.parse_known_args(words)
    if unknown:
        raise ConfigError(describe_unknown(parser, unknown[0], options))
    let_shape_follow(options, words)
    if script:
        sentence = unused_options(script, words, parser.names_in(read), parser.names_in((SIZES, FUNCTION)))
        # The first of several processes says it for all.
        if sentence and int(os.environ.get("RANK", 0)) == 0:
            log.info(sentence)
    method.check_size(options.height, options.width)
    settle_source_views(options, method)
    return options


def _check_files(words: Sequence[str]) -> None:
    """Raises ConfigError for a second --config or --variant, of which only one would be read."""
    given = options_in(words)
    for name in ("config", "variant"):
        if given.count(name) > 1:
            raise ConfigError(
                f"Expected one --{name}, found {given.count(name)}; make one file that holds 'include = "
                "FILE, FILE' with both, of which the later one counts."
            )


def _method(words: Sequence[str]) -> type[Method]:
    """The method that the command line or its config files name; it decides which other options exist."""
    parser = config_parser("")
    _add_method(parser)
    # --help is left to the parser that knows all options.
    options, _ = parser.parse_known_args([word for word in words if word not in ("-h", "--help")])
    return method_class(options.method)


def _add_method(parser: Parser) -> None:
    parser.add_argument(
        "--method",
        default=DEFAULT_METHOD,
        help=f"how views are rendered, one of {', '.join(sorted(METHODS))}; adds that method's options",
    )


def settle_source_views(options: Namespace, method: type[Method]) -> None:
    """Sets the number of source views to the method's default, or checks the given number."""
    wanted = method.source_views
    if options.num_source_views is None:
        options.num_source_views = wanted
    elif method.fixed_source_views and options.num_source_views != wanted:
        raise ConfigError(
            f"Expected {wanted} source views, the only number that --method {options.method} supports, found "
            f"--num_source_views {options.num_source_views}; leave the option out."
        )
    elif wanted and options.num_source_views < method.fewest_source_views:
        raise ConfigError(
            f"Expected --num_source_views of at least {method.fewest_source_views}, which --method "
            f"{options.method} needs, found {options.num_source_views}; raise it."
        )


def let_shape_follow(options: Namespace, words: Sequence[str]) -> None:
    """Lets a size that stands alone on the command line keep the shape of the photographs.

    Sides that are not given are then not taken from a config file or a model. Raises ConfigError for a side
    together with --longer_side.
    """
    given = set(options_in(words)) & {"height", "width", "longer_side"}
    if given > {"longer_side"}:
        raise ConfigError(
            f"Expected --longer_side or --height and --width, found --{' and --'.join(sorted(given))}; leave "
            "one out."
        )
    if len(given) == 1:
        for side in {"height", "width"} - given:
            setattr(options, side, None)


def _run(parser: Parser) -> None:
    add = parser.add_argument_group(RUN).add_argument
    _add_method(parser)
    add("--expname", default="gpnerf", help="name of the run")
    add("--out", default="out", help="folder of all runs; this one writes to OUT/EXPNAME")
    add("--seed", type=count, default=0, help="seed of initial weights, examples, pixels and depths")
    add("--device", default="auto", help="auto (CUDA if there is one), cpu, cuda, cuda:1, mps, ...")
    add(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="precision of the network; geometry and losses stay in float32. auto: bfloat16 on a GPU that "
        "supports it, and on a CPU if a short timing finds it faster",
    )
    add(
        "--compile",
        choices=WHEN,
        default="auto",
        help="compile layers by torch.compile, which takes up to a minute. auto: if the run is long enough "
        "and a timing finds it faster, but never for training on a CPU or with --vary size or sources, where "
        "each new shape is compiled anew",
    )
    add(
        "--deterministic",
        choices=WHEN,
        default="auto",
        help="compute sums in a fixed order, so that equal runs give equal numbers, bit for bit. auto: on a "
        "CPU, where it costs little; on a GPU it is slower, and a few operations have no fixed order",
    )


def _training(parser: Parser) -> None:
    add = add_options(parser, TRAINING, StepOptions, Schedule).add_argument
    add("--steps", type=positive, default=200_000, help="number of training steps")
    add(
        "--slots",
        type=positive,
        default=None,
        help="with --instance_matching hungarian: outputs for objects (default: most instances in a view, or "
        "all of the scene if the method learns a single one)",
    )
    add(
        "--load_weights",
        default=None,
        help="model from whose weights to start (finetuning), in its sizes: a checkpoint, a run, a weights "
        "folder, the name of a shipped model, or hf://OWNER/NAME",
    )
    add(
        "--vary",
        type=some_of(*KINDS),
        default=(),
        metavar="KIND,KIND,...",
        help="what changes from example to example, so that a model works elsewhere. size: a random "
        "crop, resized so that no side exceeds the longer of --height and --width; sources: 3 to 10 source "
        "views; spacing: sources are chosen from every frame, every second or every third; exposure: "
        "brightness and white balance of each view; damage: blur, noise and JPEG losses in sources; color: "
        "other colors in all views; range: near and far; unit: scale of the coordinates that the network "
        "sees (with --coordinates camera). Half of the examples change in their size alone",
    )
    add("--workers", type=count, default=2, help="additional processes that read images")
    add("--log_every", type=positive, default=50, help="steps between TensorBoard scalars")
    add("--picture_every", type=positive, default=5_000, help="steps between pictures of a held-out view")
    add("--checkpoint_every", type=positive, default=1_000, help="steps between checkpoints")
    add("--milestone_every", type=count, default=50_000, help="steps between permanent checkpoints; 0: none")
    add(
        "--max_hours",
        type=amount,
        default=None,
        help="save and stop after this time; the same command resumes",
    )


def _rendering(parser: Parser) -> None:
    add = parser.add_argument_group(RENDERING).add_argument
    add(
        "--checkpoint",
        default=None,
        help="model to use, named as for --load_weights (default: the newest checkpoint of the run)",
    )
    add(
        "--chunk_size",
        type=positive,
        default=None,
        help="rays at a time; bounds the memory (default: chosen by device and memory)",
    )
    add(
        "--guide",
        type=positive,
        default=GUIDE,
        help="coarse pass on every N-th row and column, if the last pass has fine samples alone; 1: on all",
    )
    add("--stride", type=positive, default=1, help="render every N-th row and column, as a quick preview")


def _evaluation(parser: Parser) -> None:
    add = parser.add_argument_group(EVALUATION).add_argument
    add(
        "--segment",
        choices=SEGMENTED,
        default=RENDERED,
        help="what is segmented: the rendered view, or the true image (red curve of Fig. 8)",
    )
    add(
        "--protocol",
        choices=PROTOCOLS,
        default=PAPER,
        help="released: the frames and source views of the released code, including its leaks; gsnerf: the "
        "scenes, frames and number of source views of GSNeRF (configs/scannet_gsnerf.txt)",
    )
    add(
        "--map_classes",
        type=yes_or_no,
        default=True,
        help="if scenes have other classes than the model, score those that both know; no: leave labels out",
    )
    add("--table", type=table_numbers, default=(), help="tables of the paper to write, such as 1,2 or all")
    add(
        "--lpips",
        type=yes_or_no,
        default=True,
        help="compute LPIPS if scripts/fetch_lpips.py has fetched its weights",
    )
