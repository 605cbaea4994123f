"""Shuffled data in the order that belongs to the number of the epoch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from recs.data import epoch_order
from recs.errors import explain


class EpochOrder(keras.callbacks.Callback):
    """Gives shuffled data the order that belongs to the number of the epoch.

    The order in which `to_dataset`, `stream_parquet`, `stream_tfrecord` and `domain_batches`
    shuffle is a function of their seed and of a number. A dataset counts its iterations for that;
    this callback sets the number at the beginning of each epoch. So `fit(initial_epoch=3)`, or
    Keras's `BackupAndRestore`, goes on in the order that an uninterrupted `fit` would have had,
    also where the data was iterated in between. `recs.Model.fit` and
    `recs.callbacks.BackgroundCheckpoint` do it by themselves; `keras.Model.fit` needs this
    callback.

    With `steps_per_epoch`, epochs are not passes over the data: the number is set before the first
    epoch alone, and the data counts its passes from there. `BackgroundCheckpoint.resume` goes on
    exactly there, too.

    Args:
        data: What is given to `fit`. If it is shuffled in another way, which begins anew where a
            training goes on, a `UserWarning` says so at an epoch beyond the first. Defaults to
            `None`: it is not looked at.
        steps_per_epoch: What is given to `fit`. Defaults to `None`.

    Example:
    ```python
    >>> log = recs.data.Interactions({"user": [1, 2, 3, 4], "item": [1, 2, 3, 4]})
    >>> data = log.to_dataset(batch_size=4, shuffle=True, seed=1)
    >>> data = data.map(lambda batch: (batch["user"], batch["item"]))
    >>> model = keras.Sequential([recs.layers.DynamicEmbedding(2, seed=1), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> order = recs.callbacks.EpochOrder(data)
    >>> _ = model.fit(data, initial_epoch=2, epochs=3, callbacks=[order], verbose=0)

    ```
    """

    def __init__(self, data: Any = None, steps_per_epoch: int | None = None) -> None:
        super().__init__()
        self._way = shuffled_otherwise(data)
        self._steps_per_epoch = steps_per_epoch
        self._telling = False
        self._passes = steps_per_epoch is not None
        self._first = True
        self._began_at = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins with the first epoch."""
        self._first = True
        self._passes = self._steps_per_epoch is not None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells the number of the epoch to the data that is about to be iterated."""
        if self._first:
            self._began_at = epoch
            if epoch and self._way:
                self._warn(self._way)
        if self._first or not self._passes:
            epoch_order.tell(self._number_of(epoch))
            self._telling = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Lets other data count by itself."""
        if not self._telling:
            return
        batches, steps = self.stop_telling(), self.params.get("steps")
        if self._first and batches is not None:
            # Where epochs are no passes, a pass may begin whenever it likes.
            self._passes |= steps is not None and steps != batches
            if self._began_at and self._steps_per_epoch not in (None, batches):
                self._warn(f"steps_per_epoch={steps}, and {batches} batches in a pass")
        self._first = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Lets other data count by itself, after an epoch without batches."""
        self.stop_telling()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Lets other data count by itself."""
        self.stop_telling()

    def note(self, way: str) -> None:
        """Notes that the order of the data does not follow the number of the epoch."""
        self._way = self._way or way

    def _number_of(self, epoch: int) -> int:
        return epoch

    def stop_telling(self) -> int | None:
        """Lets other data count by itself; returns how many batches the data has, if it said so."""
        if not self._telling:
            return None
        self._telling = False
        return epoch_order.stop_telling()

    def _warn(self, received: str) -> None:
        message = explain(
            "A training that goes on at a later epoch",
            rule="has the order of an uninterrupted one only with data whose order follows from "
            "the number of the epoch",
            received=received,
            where=type(self).__name__,
            remedy="Shuffle by `to_dataset(shuffle=True)`, `stream_parquet` or `stream_tfrecord` "
            "without `steps_per_epoch`, or go on by `BackgroundCheckpoint.resume`.",
        )
        warnings.warn(message, UserWarning, stacklevel=3)


def shuffled_otherwise(data: Any) -> str | None:
    """Returns how a dataset is shuffled that does not follow the number of the epoch, or None."""
    shuffled = isinstance(data, tf.data.Dataset) and any(map(_draws_anew, _upstream(data)))
    return "data that `tf.data.Dataset.shuffle` shuffles" if shuffled else None


def with_epoch_order(
    callbacks: Any, data: Any, steps_per_epoch: int | None, shuffle: bool
) -> tuple[list[keras.callbacks.Callback], EpochOrder]:
    """Returns the callbacks of a `fit`, and which of them tells the data the number of the epoch.

    Args:
        callbacks: The user's, a list, one, or None.
        data: What is given to `fit`.
        steps_per_epoch: What is given to `fit`.
        shuffle: Whether Keras shuffles arrays.
    """
    if callbacks is None or isinstance(callbacks, keras.callbacks.Callback):
        callbacks = [callbacks] if callbacks is not None else []
    for callback in callbacks:
        if isinstance(callback, EpochOrder):
            return list(callbacks), callback
    order = EpochOrder(data, steps_per_epoch)
    if shuffle and not isinstance(data, tf.data.Dataset) and hasattr(data, "__len__"):
        order.note("arrays that Keras shuffles")
    return [*callbacks, order], order


def _upstream(data: tf.data.Dataset) -> Iterator[tf.data.Dataset]:
    """Yields a dataset and those that it is made of, which are among its attributes."""
    yield data
    for value in vars(data).values():
        parts = tf.nest.flatten(value) if isinstance(value, list | tuple | dict) else [value]
        for part in parts:
            if isinstance(part, tf.data.Dataset):
                yield from _upstream(part)


def _draws_anew(data: tf.data.Dataset) -> bool:
    if type(data).__name__ != "_ShuffleDataset":
        return False
    fields = vars(data)
    seeds = [int(fields.get(name, 0)) for name in ("_seed", "_seed2")]
    return bool(fields.get("_reshuffle_each_iteration", True)) or seeds == [0, 0]
