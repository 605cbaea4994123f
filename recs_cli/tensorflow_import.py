"""Imports `recs`, and so TensorFlow, without TensorFlow's notices."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

from recs_cli.status import status

# What TensorFlow's C++ logs at INFO level, before its log level is in force, and their heading.
_NOTICES = re.compile(
    rb"I\d{4} |WARNING: All log messages before absl::InitializeLog|To enable the "
)


def import_recs() -> None:
    """Imports `recs`; TensorFlow's lines about devices and CPU features do not reach the terminal.

    Nothing is done to the output when the user has set `TF_CPP_MIN_LOG_LEVEL`. Otherwise it is
    set for this process, and as TensorFlow logs before it reads it, the output of the import is
    held back, and all but those notices is printed afterwards. The import takes seconds: on a
    terminal, a line says so meanwhile.
    """
    if "recs" in sys.modules:
        return
    with status("Loading TensorFlow"):
        if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
            importlib.import_module("recs")
            return
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        with _without_notices():
            importlib.import_module("recs")


@contextlib.contextmanager
def _without_notices() -> Iterator[None]:
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # A process without standard error.
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not _NOTICES.match(line):
                    os.write(2, line)
