"""`recs build-op`."""

from __future__ import annotations

import argparse


def run(arguments: list[str]) -> None:
    """Compiles the op and prints where it is."""
    parser = argparse.ArgumentParser(
        prog="recs build-op",
        description="Compiles the embedding op for the TensorFlow that is installed.",
    )
    parser.add_argument("--force", action="store_true", help="also when it is there already")
    given = parser.parse_args(arguments)

    from recs.ops.build import build

    print(build(force=given.force))
