"""The version of `recs`, without the import of it."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path


def installed_version() -> str:
    """Returns `recs.__version__`."""
    package = importlib.util.find_spec("recs")
    assert package is not None
    assert package.origin is not None
    return str(runpy.run_path(str(Path(package.origin).with_name("version.py")))["__version__"])
