"""The arguments of each command."""

from __future__ import annotations

import argparse
from pathlib import Path

from recs_cli import configuration_file
from recs_cli.errors import UsageError
from recs_cli.installed_version import installed_version

COMMANDS = {
    "train": "train a model as a configuration says, judge it and write a run folder",
    "evaluate": "judge the model of a run again",
    "recommend": "recommend items to users with the model of a run",
    "export": "write the model of a run as a SavedModel for TensorFlow Serving",
    "build-op": "compile the embedding op now rather than on first use",
}
_RUN_HELP = "a run's folder, or the folder of several, of which the newest is taken"
_TRAIN_HELP = """\
usage: recs train CONFIG [--KEY VALUE ...] [--allow-module MODULE ...]

Trains the model that CONFIG describes, a YAML file. Each key below stands in the file, or on the
command line, which wins: --epochs 3 --model.embedding_dim 64

keys that name a class, by class_path and init_args:
  --data            where the interactions come from
  --split           how they are divided into training, validation and test
  --model           the model
  --optimizer       the optimizer of its weights and embeddings
  --evaluation      what the model is judged by

other keys:
  --epochs          how often training passes over the data (default: 10)
  --batch_size      interactions per step (default: 1024)
  --seed            the seed of initial values and of the order of the data (default: 0)
  --judge_on        test or validation (default: test)
  --name            the name of the run (default: the file name of CONFIG)
  --runs            the folder of all runs (default: runs)

options:
  -h, --help        show this help
  --KEY.help CLASS  show the arguments of a class: --model.help recs.models.TwoTower
  --allow-module MODULE
                    a module of yours whose classes may be made; it is imported. May be repeated.
                    Without it, only classes of recs and keras are\
"""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the arguments with the name of the command as `command`.

    Raises:
        UsageError: when the arguments of `recs train` are wrong.
        SystemExit: after `--help` and `--version`, and when other arguments are wrong.
    """
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        parser = _all_commands()
        parser.parse_args(arguments)  # --help and --version end here, and wrong names.
        parser.error("COMMAND is missing. See recs --help.")
    if name == "train":
        return _train(arguments[1:])
    parser = {"evaluate": _evaluate, "recommend": _recommend, "export": _export}.get(
        name, _build_op
    )()
    return parser.parse_args(arguments[1:], argparse.Namespace(command=name))


def _all_commands() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="recs",
        usage="recs [-h] [--version] [--debug] COMMAND ...",
        description="Recommender models on embeddings that grow with the ids they see.",
        epilog=f"commands:\n{lines}\n\n`recs COMMAND --help` shows its arguments.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"recs {installed_version()}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("command", nargs="?", choices=list(COMMANDS), help=argparse.SUPPRESS)
    return parser


def _train(arguments: list[str]) -> argparse.Namespace:
    modules, rest = _allowed_modules(arguments)
    for position, argument in enumerate(rest):
        key, _, name = argument.partition("=")
        if key.endswith(".help") and key.startswith("--"):
            name = name or "".join(rest[position + 1 : position + 2])
            return argparse.Namespace(command="train", explain=name, modules=modules)
    if "-h" in rest or "--help" in rest:
        print(_TRAIN_HELP)
        raise SystemExit(0)
    if not rest or rest[0].startswith("-"):
        raise UsageError("`recs train` needs CONFIG, a YAML file, first. See recs train --help.")
    config = rest[0]
    if not Path(config).is_file():
        found = ", ".join(sorted(str(p) for p in Path("configs").glob("*.yaml")))
        kind = "is no file" if Path(config).exists() else "does not exist"
        others = f" Configurations in configs: {found}." if found else ""
        raise UsageError(f"CONFIG must be a YAML file. Received: {config}, which {kind}.{others}")
    configuration_file.read(config, rest[1:], modules)  # Finds what is wrong without TensorFlow.
    return argparse.Namespace(
        command="train", explain=None, config=config, overrides=rest[1:], modules=modules
    )


def _allowed_modules(arguments: list[str]) -> tuple[list[str], list[str]]:
    parser = argparse.ArgumentParser(prog="recs train", add_help=False, allow_abbrev=False)
    _add_allow_module(parser)
    parsed, rest = parser.parse_known_args(arguments)
    return parsed.modules, rest


def _add_allow_module(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-module",
        metavar="MODULE",
        dest="modules",
        action="append",
        default=[],
        help="a module of yours whose classes may be made; it is imported. May be repeated",
    )


def _evaluate() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recs evaluate", description="Judges the model of a run on its held-out part again."
    )
    parser.add_argument("run", metavar="RUN", help=_RUN_HELP)
    _add_allow_module(parser)
    return parser


def _recommend() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recs recommend", description="Recommends items to users with the model of a run."
    )
    parser.add_argument("run", metavar="RUN", help=_RUN_HELP)
    _add_allow_module(parser)
    parser.add_argument(
        "--user", metavar="ID", action="append", required=True, help="a user's id; may be repeated"
    )
    parser.add_argument("-k", type=_positive, default=10, help="how many items (default: 10)")
    parser.add_argument(
        "--include-seen", action="store_true", help="also items that the user has in the data"
    )
    return parser


def _export() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recs export",
        description="Writes the model of a run as a SavedModel of TensorFlow's own ops, which an "
        "unmodified TensorFlow Serving runs.",
    )
    parser.add_argument("run", metavar="RUN", help=_RUN_HELP)
    _add_allow_module(parser)
    parser.add_argument(
        "--path",
        help="the folder to write; TensorFlow Serving wants a number as its last part "
        "(default: the next number in RUN/saved_model)",
    )
    parser.add_argument(
        "--row-dtype",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="how rows are stored: float16 halves the size, int8 quarters it (default: float32)",
    )
    return parser


def _build_op() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recs build-op",
        description="Compiles the embedding op for the TensorFlow that is installed.",
    )
    parser.add_argument("--force", action="store_true", help="also when it is there already")
    return parser


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer. Received: {text}")
    return number
