"""What survives a loss of power."""

from __future__ import annotations

import os
import pathlib


def to_disk(path: pathlib.Path) -> None:
    """Brings a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
