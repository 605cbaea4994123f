"""Lists in memory to a `tf.data.Dataset` of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from recs.data.epoch_order import epoch_draws
from recs.data.ragged_column import RaggedColumn
from recs.data.ranking.arrange import Flat, batch_of, check_list_size, columns, places
from recs.data.to_dataset import to_dataset

if TYPE_CHECKING:
    from recs.data.ranking.ranking_lists import RankingLists

_START, _LENGTH = "list start", "list length"  # no feature of a record has a space in its name


@tf.autograph.experimental.do_not_convert
def list_batches(
    lists: RankingLists,
    *,
    batch_size: int,
    list_size: int | None,
    shuffle: bool,
    shuffle_examples: bool,
    seed: int | None,
    drop_remainder: bool,
    supervised: bool,
) -> tf.data.Dataset:
    """Returns the dataset that `RankingLists.to_dataset` describes."""
    check_list_size(list_size, "RankingLists.to_dataset")
    features = lists.features
    with tf.device("CPU:0"):
        examples = {name: _tensor(lists.examples[name]) for name in lists.examples}
    numbers = {_START: lists.row_splits[:-1], _LENGTH: np.diff(lists.row_splits)}
    if seed is None:
        seed = int(np.random.default_rng().integers(2**31))
    batches = to_dataset(
        {**lists.context, **numbers},
        rows=len(lists),
        batch_size=batch_size,
        shuffle_seed=seed if shuffle else None,
        reshuffle_each_iteration=True,
        drop_remainder=drop_remainder,
    )
    of_context = [name for name, _ in columns(features.context)]

    def arrange(batch: dict[str, Any], key: Any = None) -> Any:
        flat = Flat({name: batch[name] for name in of_context}, examples, batch[_LENGTH])
        at = places(batch[_START], batch[_LENGTH], list_size, key)
        found = batch_of(flat, features, at, label=True)
        if not supervised:
            return found
        weights = () if features.weight is None else (found.pop(features.weight),)
        return (found, found.pop(features.label), *weights)

    if shuffle_examples:
        # Numbers drawn within `map` would be the same in every epoch.
        draws = epoch_draws(seed, len(batches)).flat_map(
            lambda pair: tf.data.Dataset.random(pair[0]).batch(2, drop_remainder=True)
        )
        batches = tf.data.Dataset.zip(batches, draws)
    return batches.map(arrange, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _tensor(column: Any) -> Any:
    if isinstance(column, RaggedColumn):
        return column.to_tensor()
    return tf.constant(column, dtype=tf.string if column.dtype == object else None)
