"""Row numbers in batches, rows of a group next to each other."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from recs.data.epoch_order import epoch_draws


@tf.autograph.experimental.do_not_convert
def grouped_batches(
    groups: np.ndarray,
    run: int,
    size: int,
    seed: int,
    reshuffle_each_iteration: bool,
    count: int,
) -> tf.data.Dataset:
    """Returns row numbers, `size` at a time, in runs of rows of a group drawn anew each epoch.

    Args:
        groups: The group of each row, a number from 0 on.
        run: How many rows of a group come together.
        size: Rows of a batch.
        seed: Decides the order.
        reshuffle_each_iteration: Whether each epoch has an order of its own.
        count: How many batches an epoch has.
    """
    counts = np.bincount(groups)
    # Runs are numbered through all groups; a group's begin here.
    runs_before = np.cumsum(-(-counts // run)) - -(-counts // run)
    of_row = tf.constant(groups, tf.int64)
    # By group, and where a group's rows begin.
    starts = tf.constant(np.cumsum(counts) - counts, tf.int64)
    runs_before = tf.constant(runs_before, tf.int64)
    total = int(np.sum(-(-counts // run)))
    draws = epoch_draws(seed, count, reshuffle=reshuffle_each_iteration)

    def epoch(draw: tf.Tensor) -> tf.data.Dataset:
        drawn = tf.argsort(tf.random.stateless_uniform([len(groups)], draw))
        by_group = tf.argsort(tf.gather(of_row, drawn), stable=True)
        rows = tf.gather(drawn, by_group)
        group = tf.gather(of_row, rows)
        place = tf.range(len(groups), dtype=tf.int64) - tf.gather(starts, group)
        number = tf.gather(runs_before, group) + place // run
        order = tf.random.stateless_uniform([total], draw + 1)
        rows = tf.gather(rows, tf.argsort(tf.gather(order, number), stable=True))
        return tf.data.Dataset.from_tensor_slices(rows).batch(size)

    return draws.flat_map(epoch)
