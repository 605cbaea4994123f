"""Tasks of a batch, and which of its rows are their support and their query samples."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Episodes(NamedTuple):
    """Rows of a batch by task.

    Attributes:
        support: `(tasks, support)` int32, numbers of rows, -1 where there is none.
        query: `(tasks, query)`, likewise. No row is in both.
    """

    support: tf.Tensor
    query: tf.Tensor


def episodes(
    ids: tf.Tensor, present: tf.Tensor, order: tf.Tensor, *, tasks: int, support: int, query: int
) -> Episodes:
    """Chooses tasks of a batch and their samples; shapes do not depend on the batch.

    A task is an id with two rows or more. The first half of its rows, at most `support`, are its
    support, and the next ones, at most `query`, its query. Where the batch has more tasks than
    `tasks`, those that come first are taken.

    Args:
        ids: `(batch,)`, the task of each row.
        present: `(batch,)` bool, which rows have a label.
        order: `(batch,)`; rows are taken in the order of these numbers.
        tasks: Tasks at most.
        support: Support samples of a task at most.
        query: Query samples of a task at most.
    """
    rows = tf.argsort(order, stable=True)
    rows = tf.boolean_mask(rows, tf.gather(present, rows))
    _, task, sizes = tf.unique_with_counts(tf.gather(ids, rows))
    together = tf.argsort(task, stable=True)
    rows, task = tf.gather(rows, together), tf.gather(task, together)
    # Which of its task's rows each is.
    number = tf.range(tf.size(rows)) - tf.gather(tf.cumsum(sizes, exclusive=True), task)
    enough = sizes > 1
    place = tf.cumsum(tf.cast(enough, tf.int32), exclusive=True)
    place = tf.gather(tf.where(enough, place, tasks), task)
    given = tf.gather(tf.minimum(sizes // 2, support), task)
    width = support + query
    column = tf.where(number < given, number, support + number - given)
    # What is not chosen goes behind the last place.
    chosen = tf.logical_and(place < tasks, column < width)
    flat = tf.where(chosen, place * width + column, tasks * width)
    slots = tf.tensor_scatter_nd_update(
        tf.fill([tasks * width + 1], -1), flat[:, tf.newaxis], tf.cast(rows, tf.int32)
    )
    slots = tf.reshape(slots[:-1], [tasks, width])
    return Episodes(slots[:, :support], slots[:, support:])
