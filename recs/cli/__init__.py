"""The commands of the command line: `recs train | evaluate | recommend | export | build-op`."""

from recs_cli.main import main

__all__ = ["main"]
