"""Loads the compiled op when it is first needed."""

from __future__ import annotations

import functools
import pathlib
from typing import Any

from recs.ops.kernel_path import kernel_path

BUNDLED = pathlib.Path(__file__).parent / "librecs_ops.so"


@functools.cache
def ops() -> Any:
    """Returns the module of the compiled op's functions, building the op when there is none.

    A binary wheel carries a library for one TensorFlow release; it is used when it loads, and
    otherwise the op is built from the sources that the package carries.

    Raises:
        ValueError: the variable `RECS_KERNELS` cannot be followed; see `kernel_path`.
    """
    import tensorflow as tf

    from recs.ops import build

    kernel_path()
    if BUNDLED.exists():
        try:
            return tf.load_op_library(str(BUNDLED))
        except tf.errors.NotFoundError:
            pass  # made for another TensorFlow: its symbols are missing here
    return tf.load_op_library(str(build.build()))


@functools.cache
def suits_tensors() -> bool:
    """Returns whether the op's library is to be used where TensorFlow's ops could do as well.

    That is where it can be built, its kernels use AVX2 or AVX-512 (without them TensorFlow's
    products are several times as fast), and no tensor is on another device. See `kernel_path`.
    """
    import tensorflow as tf

    from recs.ops.build import BuildError

    if kernel_path() == "portable" or tf.config.list_logical_devices("GPU"):
        return False
    try:
        ops()
    except BuildError:
        return False
    return True
