"""Variables that outlive a trace that fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf


@contextlib.contextmanager
def eager_variables() -> Iterator[None]:
    """Creates and initializes the variables of this scope at once, also while a function is traced.

    A `tf.function` initializes the variables that its first trace makes when the trace is complete,
    and refuses to make any in later ones. If a first `fit` fails in mid-trace, layers are left with
    variables without values and optimizers cannot make theirs any more. In this scope neither
    depends on the trace.
    """

    def create(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
        # Keras makes a tensor of a plain number, such as the 0 that some optimizers begin with.
        if tf.is_tensor(kwargs.get("initial_value")):
            constant = tf.get_static_value(kwargs["initial_value"])
            if constant is not None:
                kwargs["initial_value"] = constant
        with tf.init_scope():
            return next_creator(**{**kwargs, "experimental_enable_variable_lifting": False})

    with tf.variable_creator_scope(create):
        yield
