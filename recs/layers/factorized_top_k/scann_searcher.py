"""A searcher of ScaNN as variables, so that whatever saves variables saves it."""

from __future__ import annotations

import importlib
import uuid
from typing import Any

import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k import identifiers as ids

# What ScaNN makes a searcher from, in the order of `tensors_to_scann`, and of which type each is.
_PARTS = {
    "dataset": tf.float32,
    "scann_config": tf.string,
    "serialized_partitioner": tf.string,
    "datapoint_to_token": tf.int32,
    "ah_codebook": tf.string,
    "hashed_dataset": tf.uint8,
    "int8_dataset": tf.int8,
    "int8_multipliers": tf.float32,
    "dp_norms": tf.float32,
}


def scann_ops(where: str) -> Any:
    """Returns ScaNN's TensorFlow ops.

    Args:
        where: The layer, for the message.

    Raises:
        ImportError: ScaNN is not there, or was built for another TensorFlow.
    """
    try:
        return importlib.import_module("scann.scann_ops.py.scann_ops")
    except (ImportError, tf.errors.NotFoundError) as error:
        raise ImportError(
            explain(
                "The package `scann`",
                rule="must be installed, for the TensorFlow that is running",
                received=f"{type(error).__name__} with TensorFlow {tf.__version__}",
                where=where,
                remedy='`pip install "recs[scann]"`, into an environment of its own: each release '
                "of ScaNN wants one TensorFlow (1.4.2 wants 2.20). Or use `BruteForce`.",
            )
        ) from error


class ScannSearcher(tf.Module):
    """The variables of a searcher, and the searcher that they make.

    ScaNN's op makes a searcher the first time that it runs and keeps it, whatever the variables
    become. So each build has a stamp; a function that was traced before fails instead of searching
    what is gone.

    Args:
        where: The layer, for messages.
    """

    def __init__(self, where: str) -> None:
        super().__init__(name="searcher")
        self._where = where
        # All made here, and of unknown shape, so that a checkpoint finds them before `index` ran.
        self._parts = {
            name: tf.Variable(
                tf.zeros([0], dtype) if dtype != tf.string else tf.constant([], tf.string),
                trainable=False,
                validate_shape=False,
                shape=tf.TensorShape(None),
                name=name,
            )
            for name, dtype in _PARTS.items()
        }
        self._stamp = tf.Variable("", trainable=False, name="stamp")
        self._made_for = ""
        self._make: Any = None

    def keep(self, parts: Any) -> None:
        """Takes over what `scann_to_tensors` returned, or `load` read."""
        for name, variable in self._parts.items():
            variable.assign(parts[name] if isinstance(parts, dict) else getattr(parts, name))
        self._stamp.assign(uuid.uuid4().hex)

    def handle(self) -> tf.Tensor:
        """Returns the searcher, for ScaNN's ops."""
        stamp = self.stamp()
        if stamp != self._made_for:
            # A new function, so that the op is a new one and makes its searcher anew.
            self._make = tf.function(
                lambda: scann_ops(self._where).tensors_to_scann(
                    *(part.read_value() for part in self._parts.values())
                ),
                autograph=False,
            )
            self._made_for = stamp
        message = explain(
            "A function that searches",
            rule="must be traced again after `index`",
            received="an index that was built since",
            where=self._where,
            remedy="Call `model.make_predict_function(force=True)`, or make the tf.function anew.",
        )
        same = tf.debugging.Assert(tf.equal(self._stamp.read_value(), stamp), [message])
        with tf.control_dependencies([] if same is None else [same]):
            return self._make()

    def stamp(self) -> str:
        """Returns what tells this build from others; empty before the first."""
        with tf.init_scope():
            return self._stamp.numpy().decode()

    def save(self, store: Any) -> None:
        """Writes the parts as numbers, for Keras's files."""
        for name, variable in self._parts.items():
            value = variable.numpy()
            if _PARTS[name] == tf.string:
                store[f"{name}_bytes"], store[f"{name}_lengths"] = ids.strings_to_arrays(value)
            else:
                store[name] = value

    def load(self, store: Any) -> None:
        """Reads what `save` wrote."""
        parts = {}
        for name, dtype in _PARTS.items():
            if dtype == tf.string:
                strings = ids.arrays_to_strings(store[f"{name}_bytes"], store[f"{name}_lengths"])
                parts[name] = tf.constant(strings, tf.string)
            else:
                parts[name] = tf.constant(np.asarray(store[name]), dtype)
        self.keep(parts)
