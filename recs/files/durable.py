"""Durable (fsynced) file writes."""

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


def tree_to_disk(path: pathlib.Path) -> None:
    """Brings a file, or a folder with all that is in it, to the disk."""
    if path.is_dir():
        for folder, _, files in os.walk(path, topdown=False):
            for file in files:
                to_disk(pathlib.Path(folder, file))
            to_disk(pathlib.Path(folder))
    else:
        to_disk(path)
