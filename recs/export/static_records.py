"""The records of a table as they are served: fixed, in plain variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from recs.export.sorted_keys import SortedKeys
from recs.ops.record_table import Recent


class StaticRecords(tf.Module):
    """Ids and their last records in variables, looked up with TensorFlow's own ops.

    Args:
        keys: `(n,)` distinct ids, int64 or an object array of bytes.
        recent: Their records as arrays.
    """

    def __init__(self, keys: np.ndarray, recent: Recent) -> None:
        super().__init__(name="static_records")
        self._keys = SortedKeys(keys)
        # One more behind the last, without records.
        self._stored = [
            tf.Variable(
                np.concatenate([part[self._keys.order], np.zeros_like(part, shape=(1, *rest))]),
                trainable=False,
            )
            for part, rest in ((part, part.shape[1:]) for part in recent)
        ]

    def recent(self, keys: tf.Tensor, mask: Any = None) -> Recent:
        """Returns the records of ids of any shape, as `RecordTable.recent` does.

        Args:
            keys: The ids.
            mask: Of their shape, bool; where it is false there are no records.
        """
        flat = tf.reshape(keys, [-1])
        place, found = self._keys.find(flat)
        if mask is not None:
            found = tf.logical_and(found, tf.reshape(tf.cast(mask, tf.bool), [-1]))
        place = tf.where(found, place, self._keys.size)
        return Recent(*(self._shaped(tf.gather(one, place), keys) for one in self._stored))

    @staticmethod
    def _shaped(values: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        inner = values.shape[1:]
        shaped = tf.reshape(values, tf.concat([tf.shape(keys), inner], axis=0))
        shaped.set_shape(keys.shape.concatenate(inner))
        return shaped
