"""Loads the compiled op when it is first needed."""

from __future__ import annotations

import functools
import pathlib
import platform
from typing import Any

BUNDLED = pathlib.Path(__file__).parent / "librecs_ops.so"


@functools.cache
def ops() -> Any:
    """Returns the module of the compiled op's functions, building the op when there is none.

    A binary wheel carries a library for one TensorFlow release; it is used when it loads, and
    otherwise the op is built from the sources that the package carries.
    """
    import tensorflow as tf

    from recs.ops import build

    if BUNDLED.exists():
        try:
            return tf.load_op_library(str(BUNDLED))
        except tf.errors.NotFoundError:
            pass  # made for another TensorFlow: its symbols are missing here
    return tf.load_op_library(str(build.build()))


@functools.cache
def suits_tensors() -> bool:
    """Returns whether the op's library is to be used where TensorFlow's ops could do as well.

    That is where it can be built, has the processor's vector instructions (AVX2 or AVX-512; without
    them TensorFlow's products are several times as fast), and no tensor is on another device.
    """
    import tensorflow as tf

    from recs.ops.build import BuildError

    if not _has_avx2() or tf.config.list_logical_devices("GPU"):
        return False
    try:
        ops()
    except BuildError:
        return False
    return True


def _has_avx2() -> bool:
    features = pathlib.Path("/proc/cpuinfo")
    known = not features.exists() or "avx2" in features.read_text().split()
    return platform.machine() in ("x86_64", "AMD64") and known
