"""The command line: `recs train | evaluate | recommend | export | build-op`."""

from recs.cli.main import main

__all__ = ["main"]
