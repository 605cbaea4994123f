"""`recs build-op`."""

from __future__ import annotations

import argparse

from recs.ops.build import build


def run(arguments: argparse.Namespace) -> None:
    """Compiles the op and prints where it is."""
    print(build(force=arguments.force))
