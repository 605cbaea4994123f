"""The `recs` command, without the import of TensorFlow: arguments, their errors, and exit codes.

`recs.cli` has what the commands do. It is imported once the arguments are known to be right.
"""

from recs_cli.main import main

__all__ = ["main"]
