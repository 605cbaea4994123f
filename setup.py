"""Binary wheels, when asked for.

    RECS_BINARY_WHEEL=1 pip wheel --no-deps --no-build-isolation .

An ordinary install needs nothing from here: the package carries the op's sources and builds them
on first use, against the TensorFlow that is there then. A binary wheel carries the library instead,
built against the TensorFlow of the environment it is made in, for machines without a compiler.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import sys

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

ROOT = pathlib.Path(__file__).parent


class BuildWithLibrary(build_py):
    """Adds the compiled op to the files of the package."""

    def run(self) -> None:
        """Copies the package, then builds the library and puts it beside its loader."""
        super().run()
        sys.path.insert(0, str(ROOT))
        from recs.ops.build import LIBRARY, build

        shutil.copy(build(), pathlib.Path(self.build_lib) / "recs" / "ops" / LIBRARY)


class BinaryDistribution(Distribution):
    """Marks the wheel as made for one platform."""

    def has_ext_modules(self) -> bool:
        """Returns that it has compiled parts."""
        return True


if os.environ.get("RECS_BINARY_WHEEL"):
    setup(cmdclass={"build_py": BuildWithLibrary}, distclass=BinaryDistribution)
else:
    setup()
