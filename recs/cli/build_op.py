"""`recs build-op`."""

from __future__ import annotations

import argparse

from recs.ops.build import build
from recs_cli.status import status


def run(arguments: argparse.Namespace) -> None:
    """Compiles the op and prints where it is."""
    with status("Compiling the op"):
        library = build(force=arguments.force)
    print(library)
