"""Serialised lists to batches."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from recs.data.ranking.arrange import batch_of, check_list_size, places
from recs.data.ranking.ranking_features import RankingFeatures
from recs.data.ranking.records import FORMATS
from recs.errors import explain


def parse(
    serialized: Any,
    features: RankingFeatures,
    format: str = "elwc",
    *,
    list_size: int | None = None,
    label: bool = True,
    shuffle_examples: bool = False,
    seed: Any = None,
) -> dict[str, Any]:
    """Returns the batch that `RankingFeatures` describes, from serialised lists.

    It is made of TensorFlow's own ops, for `tf.data.Dataset.map` and for signatures alike.

    Args:
        serialized: Records, `(batch,)` strings.
        features: What they hold. Other features are not read.
        format: `"elwc"`, ExampleListWithContext protos; `"sequence_example"`, whose feature lists
            have a step an item; `"example_in_example"`, tf.Examples with `serialized_context` and
            `serialized_examples`; `"tf_example"`, one item each, with its context. Defaults
            to `"elwc"`.
        list_size: How many items a list is padded or cut to. Defaults to `None`: the longest list
            of the batch.
        label: Whether to read the labels; requests to a server have none. Without labels, an error
            lists the features that records lack. Defaults to `True`.
        shuffle_examples: Whether to shuffle items within their list, before it is cut. Defaults to
            `False`.
        seed: Of the shuffling: two integers, for instance a `tf.data.Dataset.random` in batches of
            two, zipped with the records. Defaults to `None`: drawn anew.

    Returns:
        Tensors by name. Sequences are ragged.

    Raises:
        ValueError: `format` or `list_size` is none of these.
        tf.errors.InvalidArgumentError: a record is malformed, or lacks a feature without default
            (with `read_records` the message says which).

    Example:
    ```python
    >>> import tensorflow as tf
    >>> from recs.data.ranking import RankingFeature, RankingFeatures, parse
    >>> features = RankingFeatures(examples=[RankingFeature("price")])
    >>> price = tf.train.Feature(float_list=tf.train.FloatList(value=[2.5]))
    >>> item = tf.train.Example(features=tf.train.Features(feature={"price": price}))
    >>> batch = parse([item.SerializeToString()], features, "tf_example", list_size=2, label=False)
    >>> batch["price"].numpy().tolist(), batch["mask"].numpy().tolist()
    ([[2.5, 0.0]], [[True, False]])

    ```

    Reference: `tfr.data.parse_from_example_list` and its siblings, which do not shuffle
    SequenceExamples, and where they cut these leave sequences of short lists without padding.
    """
    if format not in FORMATS:
        rule = f"must be one of {', '.join(map(repr, FORMATS))}"
        raise ValueError(
            explain("`format`", rule=rule, received=f"format={format!r}", where="parse")
        )
    check_list_size(list_size, "parse")
    flat = FORMATS[format](tf.convert_to_tensor(serialized, tf.string), features, label)
    starts = tf.cumsum(flat.lengths, exclusive=True)
    at = places(starts, flat.lengths, list_size, _key(seed) if shuffle_examples else None)
    return batch_of(flat, features, at, label)


def _key(seed: Any) -> tf.Tensor:
    if seed is None:
        return tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
    key = tf.convert_to_tensor(seed)
    if key.shape.rank != 1 or key.shape[0] not in (2, None):
        rule = "must be two integers: one number would shuffle alike in every batch of a `map`"
        raise ValueError(explain("`seed`", rule=rule, received=f"seed={seed!r}", where="parse"))
    return key
