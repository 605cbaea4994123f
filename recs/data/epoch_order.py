"""The order of an epoch as a function of a seed and of the epoch's number.

A shuffled dataset draws its order when an iteration begins. It counts its iterations, and the
number is that of the epoch: the same numbers give the same orders, in any process. A training that
goes on at a later epoch tells the number beforehand (`tell`), and takes it back when the first
batch has come (`stop_telling`), so that only the datasets of this very epoch read it, whatever
transformations stand between them and the training.

The numbers are resources of TensorFlow's runtime, and not variables: those would belong to the
distribution strategy in whose scope a dataset is made.
"""

from __future__ import annotations

import itertools
import threading
from typing import Any

import tensorflow as tf

_PHILOX = 1
_LOCK = threading.Lock()
_NUMBERS = itertools.count()
_TELLINGS = itertools.count(1)
_NONE = -2
_shared: dict[str, tf.Tensor] = {}


def epoch_draws(seed: int, batches: int = -1, *, reshuffle: bool = True) -> tf.data.Dataset:
    """Returns a dataset of one element, the two numbers `(2,)` int64 that decide an epoch's order.

    They are those of `Dataset.random(seed, rerandomize_each_iteration=reshuffle)` at the iteration
    of the epoch's number; with `reshuffle=False` those of the first epoch in all.

    Args:
        seed: int. With TensorFlow's global seed, if there is one, it decides all epochs.
        batches: How many batches an epoch has; -1 if it is not known. Defaults to `-1`.
        reshuffle: Whether each epoch has numbers of its own. Defaults to `True`.
    """
    if not reshuffle or not tf.executing_eagerly():
        # Within a function, as on a remote worker, the runtime itself counts.
        draws = tf.data.Dataset.random(seed, rerandomize_each_iteration=reshuffle)
        return draws.batch(2, drop_remainder=True).take(1)
    key = _key(seed)
    with _LOCK:
        told, count = _of_process("told"), _of_process("batches")
        own = _handle(f"recs_order_of_dataset_{next(_NUMBERS)}", (0, 0))

    def draw(_: tf.Tensor) -> tf.Tensor:
        epoch, telling = tf.unstack(_read(told), num=2)
        following, heard = tf.unstack(_read(own), num=2)
        # Once a telling: what comes again within an epoch, as by `repeat`, counts on.
        hears = tf.logical_and(epoch >= 0, telling != heard)
        number = tf.where(hears, epoch, following)
        _assign(own, tf.stack([number + 1, tf.where(hears, telling, heard)]))
        _assign(count, tf.constant([batches, 0], tf.int64))
        return _draws(key, number)

    return tf.data.Dataset.range(1).map(draw)


def tell(epoch: int) -> None:
    """Makes each dataset that is iterated from now on take the order of an epoch, once."""
    with _LOCK:
        _assign(_of_process("told"), tf.constant([epoch, next(_TELLINGS)], tf.int64))
        _assign(_of_process("batches"), tf.constant([_NONE, 0], tf.int64))


def stop_telling() -> int | None:
    """Lets datasets count by themselves again.

    Returns:
        How many batches an epoch has of the dataset that began last, -1 if it does not know; None
        if none began.
    """
    with _LOCK:
        _assign(_of_process("told"), tf.constant([-1, 0], tf.int64))
        batches = int(_read(_of_process("batches"))[0])
    return None if batches == _NONE else batches


def _of_process(name: str) -> tf.Tensor:
    if name not in _shared:
        _shared[name] = _handle(f"recs_order_{name}", (-1, 0))
    return _shared[name]


def _handle(name: str, value: tuple[int, int]) -> tf.Tensor:
    with tf.device("CPU:0"):
        handle = tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=[2], shared_name=name)
        _assign(handle, tf.constant(value, tf.int64))
    return handle


def _read(handle: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.int64)


def _assign(handle: tf.Tensor, value: Any) -> None:
    tf.raw_ops.AssignVariableOp(resource=handle, value=value)


def _key(seed: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the pair of seeds that tf.data makes of a seed and the global one."""
    first, second = tf.compat.v1.get_seed(seed)
    if (first, second) == (0, 0):
        second = 2**31 - 1
    return tf.constant(first, tf.int64), tf.constant(second, tf.int64)


def _draws(key: tuple[tf.Tensor, tf.Tensor], epoch: tf.Tensor) -> tf.Tensor:
    first, second = tf.unstack(_two(*key, 2 * epoch))
    return _two(first, second, tf.zeros((), tf.int64))


def _two(key: tf.Tensor, stream: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Returns two successive numbers of 32 bits of a Philox generator, the first an even one."""
    four = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[4],
        key=tf.bitcast(tf.stack([key]), tf.uint64),
        counter=tf.bitcast(tf.stack([place // 4, stream]), tf.uint64),
        alg=_PHILOX,
        dtype=tf.uint32,
    )
    begin = tf.cast(place % 4, tf.int32)
    return tf.ensure_shape(tf.cast(four[begin : begin + 2], tf.int64), [2])
