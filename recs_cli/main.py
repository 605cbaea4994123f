"""The entry of the `recs` command: which command to run, and how its errors are shown."""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Sequence

from recs_cli.arguments import parse
from recs_cli.errors import UsageError
from recs_cli.tensorflow_import import import_recs

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `recs` and returns its exit code.

    0 is success, 1 an error while running, 2 a wrong command line or configuration, 130 Ctrl-C.
    Errors are printed without a traceback; `--debug` before or after the subcommand shows it.

    Args:
        argv: the arguments. Defaults to `None`: those of the process.

    Example:
    ```python
    >>> from recs_cli import main
    >>> main(["--version"]) == 0  # doctest: +ELLIPSIS
    recs ...
    True

    ```
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
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
    parsed = parse(arguments)
    import_recs()
    module = importlib.import_module(f"recs.cli.{parsed.command.replace('-', '_')}")
    module.run(parsed)
    return OK


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
