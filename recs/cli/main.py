"""The entry of the `recs` command: which subcommand, and what becomes of its errors."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
import traceback
from collections.abc import Sequence

from recs.cli import quiet
from recs.version import __version__

COMMANDS = {
    "train": "train a model as a configuration says, judge it and write a run folder",
    "evaluate": "judge the model of a run again",
    "recommend": "recommend items to users with the model of a run",
    "export": "write the model of a run as a SavedModel for TensorFlow Serving",
    "build-op": "compile the embedding op now rather than on first use",
}

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """A wrong command line or configuration; its text is the whole message."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `recs` and returns its exit code.

    0 is success, 1 an error while running, 2 a wrong command line or configuration, 130 Ctrl-C.
    Errors are printed without a traceback; `--debug` before or after the subcommand shows it.

    Args:
        argv: the arguments. Defaults to `None`: those of the process.

    Example:
    ```python
    >>> from recs.cli import main
    >>> main(["--version"]) == 0  # doctest: +ELLIPSIS
    recs ...
    True

    ```
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [one for one in arguments if one != "--debug"]
    try:
        return _run(arguments)
    except UsageError as error:
        if debug:
            traceback.print_exc()
        _say(str(error))
        return USAGE
    except SystemExit as leaving:  # argparse's way to end after --help, or an error it printed
        return leaving.code if isinstance(leaving.code, int) else USAGE
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `recs ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if debug:
            traceback.print_exc()
        _say(_text(error) + ("" if debug else "\n(--debug shows where it happened)"))
        return FAILED


def _run(arguments: list[str]) -> int:
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        _parser().parse_args(arguments)  # --help and --version end here, and wrong names.
        _parser().print_help(sys.stderr)
        return USAGE
    if not {"-h", "--help"} & set(arguments) or name == "train":
        quiet.import_tensorflow()
    module = importlib.import_module(f"recs.cli.{name.replace('-', '_')}")
    return int(module.run(arguments[1:]) or OK)


def _parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="recs",
        usage="recs [-h] [--version] [--debug] COMMAND ...",
        description="Recommender models on embeddings that grow with the ids they see.",
        epilog=f"commands:\n{lines}\n\n`recs COMMAND --help` shows its arguments.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"recs {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("command", nargs="?", choices=list(COMMANDS), help=argparse.SUPPRESS)
    return parser


def _text(error: BaseException) -> str:
    # str(KeyError) is the repr of its message.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    # Of an error within a layer, Keras prints the message in bold, and then all that was passed.
    if bold := re.search("\x1b\\[1m(.+?)\x1b\\[0m", text, re.DOTALL):
        text = bold[1]
    return text or type(error).__name__


def _say(text: str) -> None:
    sys.stdout.flush()
    print(f"recs: error: {text}" if text != "interrupted" else "recs: interrupted", file=sys.stderr)
