"""Imports TensorFlow without what it tells of itself."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# What TensorFlow's C++ logs at INFO level, before its log level is in force, and their heading.
_NOISE = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog|To enable the ")


def import_tensorflow() -> None:
    """Imports TensorFlow; its lines about devices and CPU features do not reach the terminal.

    Nothing is done to the output when the user has set `TF_CPP_MIN_LOG_LEVEL`. Otherwise it is
    set for this process, and as TensorFlow logs before it reads it, what it writes during the
    import is looked through: what is no notice of that kind is printed after the import.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        import tensorflow as tf

        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _without_notices():
        import tensorflow as tf  # noqa: F401


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
                if not _NOISE.match(line):
                    os.write(2, line)
